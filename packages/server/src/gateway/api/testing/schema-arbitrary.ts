/** Values that fit a JSON Schema, as far as the API's description uses it, and values that nearly do. */
import fc from "fast-check";

type Schema = Readonly<Record<string, unknown>>;

export function fitting(schema: Schema, all: Schema): fc.Arbitrary<unknown> {
  const { $ref, enum: values, const: only, anyOf, type } = schema;
  if (typeof $ref === "string") return fitting(all[$ref.split("/").at(-1) ?? ""] as Schema, all);
  if (Array.isArray(values)) return fc.constantFrom(...values);
  if (only !== undefined) return fc.constant(only);
  if (Array.isArray(anyOf)) return fc.oneof(...anyOf.map((each) => fitting(each as Schema, all)));
  if (Array.isArray(type)) return fc.jsonValue({ maxDepth: 3 });
  switch (type) {
    case "integer":
      return fc.integer({ min: bound(schema["minimum"], -1e6), max: bound(schema["maximum"], 1e6) });
    case "boolean":
      return fc.boolean();
    case "string": {
      // What a schema cannot say, its example shows.
      const { example } = schema;
      return example === undefined ? texts(schema) : fc.oneof(texts(schema), fc.constant(example));
    }
    case "array": {
      const minLength = bound(schema["minItems"], 0);
      return fc.array(fitting((schema["items"] ?? {}) as Schema, all), {
        minLength,
        maxLength: minLength + 4,
      });
    }
    case "object":
      return objects(schema, all);
    default:
      return fc.jsonValue({ maxDepth: 3 });
  }
}

function texts({ pattern, format, minLength, maxLength }: Schema): fc.Arbitrary<string> {
  if (typeof pattern === "string") return fc.stringMatching(new RegExp(pattern));
  if (format === "date-time") return fc.date({ noInvalidDate: true }).map((date) => date.toISOString());
  return fc.string({ minLength: bound(minLength, 0), maxLength: bound(maxLength, 40), unit: "binary" });
}

function objects(schema: Schema, all: Schema): fc.Arbitrary<unknown> {
  const { oneOf, ...rest } = schema;
  if (Array.isArray(oneOf))
    return fc.oneof(...oneOf.map((each) => objects(narrowed(rest, each, oneOf), all)));
  const properties = Object.entries((schema["properties"] ?? {}) as Record<string, Schema>);
  const model = Object.fromEntries(properties.map(([name, each]) => [name, fitting(each, all)]));
  const requiredKeys = (schema["required"] ?? []) as string[];
  const some = fc.record(model, { requiredKeys });
  const optional = Object.keys(model).filter((name) => !requiredKeys.includes(name));
  if (optional.length < 2) return some;
  // Fields may exclude one another, so often there is one beside those that have to be there.
  const one = fc.constantFrom(...optional).chain((name) => {
    const names = [...requiredKeys, name];
    return fc.record(Object.fromEntries(names.map((each) => [each, model[each] ?? fc.constant(null)])));
  });
  return fc.oneof(some, { weight: 3, arbitrary: one });
}

/** `schema` with the fields that one of several alternatives requires, and without those of the others. */
function narrowed(schema: Schema, chosen: Schema, alternatives: readonly Schema[]): Schema {
  const requiredBy = (each: Schema) => (each["required"] ?? []) as readonly string[];
  const others = alternatives.filter((each) => each !== chosen).flatMap(requiredBy);
  const properties = Object.entries((schema["properties"] ?? {}) as Schema);
  return {
    ...schema,
    properties: Object.fromEntries(properties.filter(([name]) => !others.includes(name))),
    required: [...requiredBy(schema), ...requiredBy(chosen)],
  };
}

function bound(value: unknown, otherwise: number): number {
  return typeof value === "number" ? Math.max(-1e9, Math.min(1e9, value)) : otherwise;
}

/** One that fits, one in which something was replaced, added or left out, or anything at all. */
export function nearly(schema: Schema, all: Schema): fc.Arbitrary<unknown> {
  const good = fitting(schema, all);
  const name = fc.constantFrom("data", "ttl", "channel", "messages", "__proto__", "constructor", "", "x");
  const spoilt = fc.tuple(good, name, fc.jsonValue({ maxDepth: 4 })).map(([value, key, other]) => {
    if (typeof value !== "object" || value === null) return other;
    return { ...value, [key]: other };
  });
  return fc.oneof({ weight: 3, arbitrary: good }, { weight: 2, arbitrary: spoilt }, fc.jsonValue());
}

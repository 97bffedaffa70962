import { expect, test } from "bun:test";
import { createMetrics } from "../lib/metrics.ts";
import { Refusal } from "./api/route.ts";
import { boundedBody } from "./body.ts";

const MAX = 1_000;

function bounded(init: RequestInit) {
  const metrics = createMetrics();
  const request = new Request("http://push.example/v1/batch", { method: "POST", ...init });
  return { metrics, request, answer: boundedBody(request, MAX, metrics) };
}

/** A body in pieces, as it comes without a length. */
function pieces(...sizes: number[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const size of sizes) controller.enqueue(new Uint8Array(size));
      controller.close();
    },
  });
}

test("a body whose length is known to be over the bound is answered before it is read", async () => {
  const { answer, request, metrics } = bounded({ body: "x", headers: { "content-length": "1001" } });
  if (!(answer instanceof Response)) return expect.unreachable();
  expect(answer.status).toBe(413);
  expect(await answer.json()).toMatchObject({
    code: "payload_too_large",
    detail: "the body is over 1000 bytes",
  });
  expect(request.bodyUsed).toBe(false);
  expect(await metrics.text()).toContain('carillon_refused_total{code="payload_too_large"} 1');
});

test("one within is left as it is", () => {
  const { answer, request } = bounded({ body: "x", headers: { "content-length": "1000" } });
  expect(answer).toBe(request);
});

test("so is a request without a body", () => {
  const { answer, request } = bounded({});
  expect(answer).toBe(request);
});

test.each([[[1_000]], [[400, 600]], [[0]], [[]]])("a body in pieces %j is read", async (sizes) => {
  const { answer } = bounded({ body: pieces(...sizes), headers: { "x-more": "kept" } });
  if (!(answer instanceof Request)) return expect.unreachable();
  expect(answer.method).toBe("POST");
  expect(answer.headers.get("x-more")).toBe("kept");
  expect((await answer.bytes()).length).toBe(sizes.reduce((sum, size) => sum + size, 0));
});

test.each([
  [[1_001], {}],
  [[500, 501], {}],
  [[500, 500, 1], {}],
  // One that lies about its length beside.
  [[1_001], { "content-length": "5", "transfer-encoding": "chunked" }],
])("reading a body in pieces %j rejects where it is over the bound", async (sizes, headers) => {
  const { answer, metrics } = bounded({ body: pieces(...sizes), headers });
  if (!(answer instanceof Request)) return expect.unreachable();
  const error = await answer.bytes().catch((reason: unknown) => reason);
  if (!(error instanceof Refusal)) return expect.unreachable();
  expect(error.problem).toMatchObject({ status: 413, code: "payload_too_large" });
  expect(await metrics.text()).toContain('carillon_refused_total{code="payload_too_large"} 1');
});

test("of an endless body no more is read than up to the bound", async () => {
  let sent = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += 100;
      controller.enqueue(new Uint8Array(100));
    },
  });
  const { answer } = bounded({ body });
  if (!(answer instanceof Request)) return expect.unreachable();
  await expect(answer.bytes()).rejects.toBeInstanceOf(Refusal);
  expect(sent).toBeLessThan(2_000);
});

/** The time zones of devices, each looked up once. */
import { TimeZone, timeZone } from "../../lib/zones.ts";

/** A zone by its name; the one named `standard` for none, and for a name that this machine does not know. */
export function zones(standard: string): (name: string | undefined) => TimeZone {
  // There are some 600 names, and what is none of them is not kept.
  const known = new Map<string, TimeZone>();
  const fallback = new TimeZone(standard);
  return (name) => {
    if (name === undefined) return fallback;
    const zone = known.get(name) ?? timeZone(name);
    if (zone === undefined) return fallback;
    known.set(name, zone);
    return zone;
  };
}

/**
 * The channels of a device's inbox: `$device/ID`, `$user/USER` and `$all`. They are the server's to give: a client hears of
 * its own in `connected`, and reads them like any channel; nobody publishes to them by name.
 */
import { deviceIdProblem } from "./device.ts";

/** Printable ASCII but for the space, `"` and `\`: what can be a part of a channel's name in JSON as it stands. */
const USER = /^[!#-[\]-~]{1,128}$/;

/** Why `text` does not name a user, in one line for people; `undefined` if it does. */
export function userProblem(text: string): string | undefined {
  if (USER.test(text)) return undefined;
  return 'a user is named by 1 to 128 printable ASCII characters without spaces, " and \\';
}

/** Why `name` is no channel of an inbox, in one line for people; `undefined` when it is one. */
export function inboxNameProblem(name: string): string | undefined {
  if (name === "$all") return undefined;
  const [, kind, id = ""] = /^\$(device|user)\/(.*)$/s.exec(name) ?? [];
  if (kind === "device") return deviceIdProblem(id);
  return kind === "user" ? userProblem(id) : "channel names that begin with $ are the server's own";
}

/** Which devices there are. */
import { z } from "zod";
import { duration, option } from "./option.ts";

const HOUR_MS = 3_600_000;

export const deviceOptions = {
  "self-registration": option({
    schema: z.enum(["on", "off"]),
    expects: "on or off",
    placeholder: "on|off",
    about: "whether apps may register their devices without the admin key",
    initial: "on",
  }),
  "forget-devices-after": option({
    schema: duration(HOUR_MS, 3_650 * 24 * HOUR_MS),
    expects: "a length of time from 1h to 3650d, such as 90d",
    placeholder: "90d",
    about: "how long a device is kept that does not come back",
    initial: "90d",
  }),
};

/** All commands, in the order of the help. */

import { backup } from "./backup.ts";
import type { Command } from "./command.ts";
import { completion } from "./completion/completion.ts";
import { devices } from "./devices/devices.ts";
import { doctor } from "./doctor/doctor.ts";
import { listen } from "./listen.ts";
import { push } from "./push.ts";
import { restore } from "./restore.ts";
import { schedules } from "./schedules/schedules.ts";
import { serve } from "./serve.ts";
import { tokens } from "./tokens.ts";
import { signToken } from "./tokens-sign.ts";

export const commands: readonly Command[] = [
  serve,
  listen,
  push,
  ...schedules,
  ...devices,
  ...tokens,
  signToken,
  backup,
  restore,
  doctor,
  completion(() => commands),
];

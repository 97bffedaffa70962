/** All commands, in the order of the help. */
import type { Command } from "./command.ts";
import { listen } from "./listen.ts";
import { push } from "./push.ts";
import { serve } from "./serve.ts";

export const commands: readonly Command[] = [serve, listen, push];

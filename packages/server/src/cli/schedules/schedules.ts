/** `carillon schedules`: what the server publishes by itself. */
import { deleteSchedule, pauseSchedule, resumeSchedule, runSchedule } from "./change.ts";
import { listRuns, listSchedules, showSchedule } from "./look.ts";
import { addSchedule, editSchedule } from "./make.ts";
import { nextRuns } from "./next.ts";

export const schedules = [
  listSchedules,
  addSchedule,
  showSchedule,
  nextRuns,
  editSchedule,
  pauseSchedule,
  resumeSchedule,
  runSchedule,
  listRuns,
  deleteSchedule,
];

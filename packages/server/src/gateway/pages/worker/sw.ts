/** The app page's service worker, served at `/sw.js`; the page asks for it only when notifications are switched on. */
import { startServiceWorker, type WorkerScope } from "./service-worker.ts";

startServiceWorker(self as object as WorkerScope);

import { parentPort } from "node:worker_threads";
import { examineDatabase, type DatabaseTask } from "./database.ts";

parentPort?.once("message", (task: DatabaseTask) => parentPort?.postMessage(examineDatabase(task)));

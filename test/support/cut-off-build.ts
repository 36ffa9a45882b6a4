/** An engine of its own for tests to kill while it builds: says what the build says. */
import { buildTemplate, openBuildingEngine } from "./building-engine.ts";

const [root = "", name = ""] = process.argv.slice(2);
const engine = await openBuildingEngine(root);
await buildTemplate(engine, name, { onOutput: (text) => void process.stdout.write(text) });

import type { ParsedArguments } from "./arguments.ts";
import type { Context } from "./context.ts";
import { CommandFailure } from "./failure.ts";

/** `settings KEY`, `settings KEY VALUE`, `settings list`, `settings --delete KEY`. */
export function runSettings(context: Context, options: ParsedArguments): void {
  const [key, value] = options.positionals;
  const isJson = options.value("format") !== undefined && options.value("format") !== "plain";
  const doomed = options.value("delete");
  if (doomed !== undefined) {
    context.settings.delete(doomed);
    process.stdout.write(`Removing "${doomed}"\n`);
    return;
  }
  if (key === undefined || key === "list") return listSettings(context, isJson);
  if (value !== undefined) {
    context.database();
    context.settings.set(key, value);
    return;
  }
  const current = context.settings.get(key);
  if (current === undefined && !isJson) throw new CommandFailure(`No value associated with ${key}`);
  process.stdout.write(`${JSON.stringify(current ?? null)}\n`);
}

function listSettings(context: Context, isJson: boolean): void {
  const values = context.settings.all();
  const lines = Object.entries(values).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
  process.stdout.write(isJson ? `${JSON.stringify(values)}\n` : lines.join(""));
}

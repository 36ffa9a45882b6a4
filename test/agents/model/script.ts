/** One piece of a conversation, whatever protocol it was sent in. */
export type Part =
  | { kind: "user" | "assistant"; text: string }
  | { kind: "call"; id: string }
  | { kind: "result"; text: string };

/** A tool that the agent offers, with the JSON Schema of its parameters. */
export interface Tool {
  name: string;
  parameters: Schema;
  /** Takes a program in JavaScript that calls the tools, instead of parameters. */
  takesProgram?: boolean;
}

export interface Schema {
  type?: string | readonly string[];
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  enum?: readonly unknown[];
}

export interface Request {
  parts: readonly Part[];
  tools: readonly Tool[];
}

export type Reply =
  | { kind: "text"; text: string }
  | { kind: "call"; name: string; input: Record<string, unknown> | string }
  | { kind: "failure"; status: number; message: string };

const ORDER = /^(RUN|SAY|RECALL|FAIL)(?:: (.*))?$/m;
const SHELL_TOOL = /^(bash|shell|shell_command|exec_command|run_shell_command)$/i;

/**
 * A model that does what the last order in the conversation says: `RUN: command` by the agent's own shell tool, `SAY: text`,
 * `RECALL` of the name that was told before, `FAIL`. Everything it knows is in the request.
 */
export function reply({ parts, tools }: Request): Reply {
  const at = parts.findLastIndex((part) => part.kind === "user" && ORDER.test(part.text));
  const part = parts[at];
  if (part?.kind !== "user") return { kind: "text", text: "Nothing was asked." };
  const [, order, text = ""] = ORDER.exec(part.text) ?? [];
  if (order === "FAIL")
    return { kind: "failure", status: 400, message: "The scripted model fails." };
  if (order === "SAY") return { kind: "text", text };
  if (order === "RECALL") return { kind: "text", text: recall(parts.slice(0, at)) };
  const result = parts.slice(at).findLast((found) => found.kind === "result");
  if (result?.kind === "result") return { kind: "text", text: `The command said: ${result.text}` };
  return callShell(tools, text);
}

function recall(parts: readonly Part[]): string {
  const told = parts.flatMap((part) =>
    part.kind === "user" ? [/My name is (\w+)/.exec(part.text)?.[1] ?? ""] : [],
  );
  const name = told.findLast((found) => found !== "");
  return name === undefined ? "I do not know your name." : `Your name is ${name}.`;
}

function callShell(tools: readonly Tool[], command: string): Reply {
  const tool = tools.find(({ name, takesProgram }) => takesProgram || SHELL_TOOL.test(name));
  if (tool?.takesProgram) {
    const program = `text(await tools.exec_command(${JSON.stringify({ cmd: command })}))`;
    return { kind: "call", name: tool.name, input: program };
  }
  if (tool === undefined) return { kind: "text", text: "No shell is offered." };
  const { properties = {}, required = [] } = tool.parameters;
  const input: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(properties)) {
    if (name === "command" || name === "cmd") input[name] = asCommand(schema, command);
    else if (required.includes(name)) input[name] = fill(schema);
  }
  return { kind: "call", name: tool.name, input };
}

function asCommand({ type }: Schema, command: string): unknown {
  return type === "array" ? ["bash", "-c", command] : command;
}

function fill({ type, enum: values }: Schema): unknown {
  if (values?.[0] !== undefined) return values[0];
  if (type === "boolean") return false;
  if (type === "number" || type === "integer") return 60_000;
  if (type === "array") return [];
  return type === "object" ? {} : "as the user asked";
}

import { DONUT_PROGRAM } from "./donut.ts";

/** How a request ends when the service refuses it; each has its own text in the stand-in. */
export type ServiceFailure =
  | "rate-limit"
  | "overloaded"
  | "monthly-limit"
  | "expired-session"
  | "model-unavailable"
  | "disconnect";

export const SERVICE_FAILURES: readonly ServiceFailure[] = [
  "rate-limit",
  "overloaded",
  "monthly-limit",
  "expired-session",
  "model-unavailable",
  "disconnect",
];

export interface ToolUse {
  name: string;
  input: Record<string, unknown>;
}

export type Step =
  | { kind: "say"; text: string }
  | { kind: "tool"; tool: ToolUse }
  | { kind: "pause"; durationMs: number }
  | { kind: "flood"; bytes: number }
  /** Asks the stand-in to write what follows in pieces of this many bytes. */
  | { kind: "split"; bytes: number }
  /** Waits until so many requests wait like this at the same time. */
  | { kind: "meet"; count: number }
  | { kind: "fail"; failure: ServiceFailure };

/** What the stand-in sent: the person's prompts so far, and how many tools have run for the last. */
export interface Conversation {
  prompts: readonly string[];
  /** The model that was asked for. */
  model?: string | undefined;
  toolResults: number;
  /** What the agent read at its start. */
  contextFiles?: readonly { path: string; text: string }[] | undefined;
}

/** What looks like the signs that wrappers wait for; as an answer it must change nothing. */
export const FALSE_MARKERS = [
  "__DAYTONA_KIRO_READY__",
  "__CATTLEGRID_READY__",
  "Logged in successfully",
  "Code: ABCD-EFGH",
  "Open this URL: https://view.awsapps.com/start/#/device?user_code=ABCD-EFGH",
  " ▸ Credits: 9.99 • Time: 1s",
  "kiro-cli 0.0.0",
  "Not logged in",
].join("\n");

/** The steps of the reply to the last prompt that are still to be done, tools included. */
export function continueScript(conversation: Conversation): Step[] {
  const steps = planReply(conversation);
  let seen = 0;
  let start = 0;
  for (const [index, step] of steps.entries()) {
    if (seen === conversation.toolResults) break;
    if (step.kind !== "tool") continue;
    seen += 1;
    start = index + 1;
  }
  const rest = steps.slice(start);
  const end = rest.findIndex((step) => step.kind === "tool");
  return end === -1 ? rest : rest.slice(0, end + 1);
}

function planReply({ prompts, model = "auto", contextFiles = [] }: Conversation): Step[] {
  const prompt = prompts.at(-1) ?? "";
  const [, subject] = /^what are you told about (.+?)\??$/i.exec(prompt) ?? [];
  if (subject !== undefined) return [say(recallContext(contextFiles, subject))];
  if (/^which model\b/i.test(prompt)) return [say(`I am ${model}.`)];
  const directives = readDirectives(prompt);
  if (directives !== undefined) return directives;
  if (/\b(donut|torus)\b/i.test(prompt)) return planDonut();
  if (/what(?:'s|’s| is) my name/i.test(prompt)) return [say(recallName(prompts))];
  const name = findName(prompt);
  if (name !== undefined) return [say(`Nice to meet you, ${name}. I will remember your name.`)];
  return [
    say(
      `This is the simulated Kiro. You said: ${prompt}\n\nTry \`run: COMMAND\`, ` +
        "`write FILE: TEXT`, `read FILE` or `say: TEXT`, or ask for a donut.",
    ),
  ];
}

function planDonut(): Step[] {
  return [
    say("I'll write a small program that draws a torus, then run it."),
    writeFile("donut.js", DONUT_PROGRAM, "Draw a torus as ASCII art"),
    runCommand("node donut.js", "Show the torus"),
    say("There it is: **donut.js** draws a torus of 80 by 24 characters, shaded by the light."),
  ];
}

/** Lines of what it read that speak of the subject. */
function recallContext(files: NonNullable<Conversation["contextFiles"]>, subject: string): string {
  const lines = files.flatMap(({ text }) => text.split("\n"));
  const found = lines.filter((line) => line.toLowerCase().includes(subject.toLowerCase()));
  return found.length === 0 ? `I am told nothing about ${subject}.` : found.join("\n");
}

const NAME = /\bmy name is\s+([\p{L}][\p{L}\p{M}'’-]*)/iu;

function findName(prompt: string): string | undefined {
  return NAME.exec(prompt)?.[1];
}

function recallName(prompts: readonly string[]): string {
  const name = prompts
    .slice(0, -1)
    .map(findName)
    .findLast((found) => found !== undefined);
  if (name === undefined) return "I don't know your name: nothing in this conversation tells me.";
  return `Your name is ${name}.`;
}

/** Reads a prompt of which every line is a directive; undefined for any other prompt. */
function readDirectives(prompt: string): Step[] | undefined {
  const lines = prompt.split("\n").filter((line) => line.trim() !== "");
  const steps = lines.map(readDirective);
  if (steps.length === 0 || steps.some((step) => step === undefined)) return undefined;
  const planned = steps.flatMap((step) => step ?? []);
  const isAnswered = planned.some((step) => step.kind !== "tool" && step.kind !== "pause");
  return isAnswered ? planned : [...planned, say("Done.")];
}

/** Each query is a prompt of its own, and may be a directive. */
function useSubagents(queries: readonly string[]): Step {
  const subagents = queries.map((query) => ({ query: query.trim() }));
  return { kind: "tool", tool: { name: "use_subagent", input: { subagents } } };
}

function callServer(server: string, tool: string, json: string): Step {
  const input = JSON.parse(json) as Record<string, unknown>;
  return { kind: "tool", tool: { name: `@${server}/${tool}`, input } };
}

function askEditor(method: string, json: string): Step {
  const input = { method, params: JSON.parse(json) as unknown };
  return { kind: "tool", tool: { name: "ask_editor", input } };
}

const DIRECTIVES: readonly [RegExp, (...groups: string[]) => Step[]][] = [
  [/^run: (.+)$/, (command) => [runCommand(command ?? "", "Asked for by the prompt")]],
  [/^write (\S+): (.*)$/, (path, text) => [writeFile(path ?? "", unescape(text), "Asked for")]],
  [/^read (\S+(?: \S+)*)$/, (paths) => [readFiles((paths ?? "").split(" "))]],
  [/^say: (.*)$/, (text) => [say(unescape(text))]],
  [/^silence: (\d+(?:\.\d+)?)$/, (seconds) => [pause(Number(seconds) * 1000)]],
  [/^flood: (\d+)$/, (bytes) => [{ kind: "flood", bytes: Number(bytes) }]],
  [/^split: (.*)$/, (text) => [{ kind: "split", bytes: 1 }, say(unescape(text))]],
  [/^redraw: (.*)$/, (text) => [say(redraw(text ?? ""))]],
  [/^subagents: (.+)$/, (queries) => [useSubagents((queries ?? "").split("|"))]],
  [
    /^mcp (\w+) (\w+): (\{.*\})$/,
    (server, tool, json) => [callServer(server ?? "", tool ?? "", json ?? "{}")],
  ],
  [/^editor (\S+): (\{.*\})$/, (method, json) => [askEditor(method ?? "", json ?? "{}")]],
  [/^meet (\d): (.*)$/, (count, text) => [{ kind: "meet", count: Number(count) }, say(text ?? "")]],
  [/^markers?$/, () => [say(FALSE_MARKERS)]],
  [/^fail: (\S+)$/, (failure) => planFailure(failure)],
];

function readDirective(line: string): Step[] | undefined {
  for (const [pattern, plan] of DIRECTIVES) {
    const match = pattern.exec(line);
    if (match !== null) return plan(...match.slice(1));
  }
  return undefined;
}

function planFailure(name: string | undefined): Step[] {
  const failure = SERVICE_FAILURES.find((candidate) => candidate === name);
  if (failure !== undefined) return [{ kind: "fail", failure }];
  return [say(`The simulator knows these failures: ${SERVICE_FAILURES.join(", ")}.`)];
}

function say(text: string): Step {
  return { kind: "say", text };
}

function pause(durationMs: number): Step {
  return { kind: "pause", durationMs };
}

function runCommand(command: string, summary: string): Step {
  return { kind: "tool", tool: { name: "execute_bash", input: { command, summary } } };
}

function writeFile(path: string, text: string, summary: string): Step {
  const input = { command: "create", path, file_text: text, summary };
  return { kind: "tool", tool: { name: "fs_write", input } };
}

function readFiles(paths: readonly string[]): Step {
  const operations = paths.map((path) => ({ mode: "Line", path }));
  return { kind: "tool", tool: { name: "fs_read", input: { operations } } };
}

function redraw(text: string): string {
  const frames = [10, 40, 70, 100].map((percent) => `\r${text} ${String(percent)}%`);
  return `${frames.join("")}\n${text} finished.`;
}

function unescape(text: string | undefined): string {
  return (text ?? "").replace(/\\([nrt\\e])/g, (_, letter: string) => ESCAPES[letter] ?? letter);
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  e: "\u001b",
  "\\": "\\",
};

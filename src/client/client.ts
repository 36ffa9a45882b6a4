import type { z } from "zod";
import type {
  AnswerOf,
  BodyOf,
  EventOf,
  PathParameters,
  QueryOf,
  Route,
} from "../protocol/route.ts";
import type { SandboxStart } from "../protocol/sandbox.ts";
import { ROUTES } from "../protocol/routes/all.ts";
import { attachTerminal, type AttachedTerminal, type AttachmentOptions } from "./terminal.ts";
import { Transport, type Input } from "./transport.ts";

type Routes = typeof ROUTES;

/** Parameters of the path, `body` and `query` where the operation has them, and a signal that gives it up. */
type InputOf<R extends Route> = PathParameters<R["path"]> &
  (R extends { body: z.ZodType } ? { body?: BodyOf<R> } : unknown) &
  (R extends { query: z.ZodType } ? { query?: QueryOf<R> } : unknown) &
  (R extends { events: z.ZodType } ? { lastEventId?: string } : unknown) & { signal?: AbortSignal };

type LinesOf<R extends Route> = R extends { lines: infer S extends z.ZodType } ? z.infer<S> : never;

/** What a call gives: a document, lines, bytes, or, where there is nothing else, events. */
type ResultOf<R extends Route> = R extends { answer: z.ZodType }
  ? Promise<AnswerOf<R>>
  : R extends { lines: z.ZodType }
    ? AsyncIterable<LinesOf<R>>
    : R extends { download: string }
      ? AsyncIterable<Uint8Array>
      : R extends { events: z.ZodType }
        ? AsyncIterable<EventOf<R>>
        : Promise<undefined>;

/** An operation that can also be followed while it goes on has `events`. */
type Operation<R extends Route> = ((input: InputOf<R>) => ResultOf<R>) &
  (R extends { events: z.ZodType; answer: z.ZodType } | { events: z.ZodType; lines: z.ZodType }
    ? { events(input: InputOf<R>): AsyncIterable<EventOf<R>> }
    : unknown);

/** Every operation of the API by its name, as `docs/routes.md` lists them. */
type Operations = {
  readonly [K in keyof Routes as Routes[K] extends { upgrade: string } ? never : K]: Operation<
    Routes[K]
  >;
};

/** A daemon, or an engine in this process: the same operations either way. */
export interface Cattlegrid extends Operations, AsyncDisposable {
  /** The socket its API is at. */
  readonly socket: string;
  /** Attaches to a terminal: of a process, a login or an agent. */
  attachTerminal(terminalId: string, options?: AttachmentOptions): Promise<AttachedTerminal>;
  /** Lets go of it. An engine of this process ends, with all that runs in it; a daemon goes on. */
  close(): Promise<void>;
}

export interface ClientOptions {
  /** Ends what stands behind the socket, if that is the caller's to end. */
  close?(): Promise<void>;
  /** The operator's redirections, for every sandbox that is made and started. */
  mirrors?: SandboxStart["mirrors"];
}

export function createClient(socket: string, options: ClientOptions = {}): Cattlegrid {
  const { mirrors, close = async () => undefined } = options;
  const transport = new Transport(
    socket,
    mirrors === undefined ? {} : { createSandbox: { mirrors }, startSandbox: { mirrors } },
  );
  const operations = Object.entries(ROUTES as Readonly<Record<string, Route>>)
    .filter(([, route]) => route.upgrade === undefined)
    .map(([name, route]) => [name, createOperation(transport, { name, route })]);
  let closing: Promise<void> | undefined;
  const closeOnce = (): Promise<void> => (closing ??= close());
  return {
    ...(Object.fromEntries(operations) as Operations),
    socket,
    attachTerminal: (terminalId, options) => attachTerminal(socket, terminalId, options),
    close: closeOnce,
    [Symbol.asyncDispose]: closeOnce,
  };
}

function createOperation(transport: Transport, operation: { name: string; route: Route }): unknown {
  const { answer, lines, download, events } = operation.route;
  const follow = (input: Input): unknown => transport.events(operation, input);
  const ask = (input: Input): unknown => transport.document(operation, input);
  const read = (input: Input): unknown => transport.lines(operation, input);
  const isBoth = events !== undefined && (answer !== undefined || lines !== undefined);
  if (isBoth) return Object.assign(answer === undefined ? read : ask, { events: follow });
  if (lines !== undefined) return read;
  if (download !== undefined) return (input: Input) => transport.bytes(operation, input);
  return events === undefined ? ask : follow;
}

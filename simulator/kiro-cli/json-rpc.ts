import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { writeJson } from "./json-view.ts";

export const AUTHENTICATION_REQUIRED = -32000;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMETERS = -32602;
export const INTERNAL = -32603;

/** Answers a request with an error; any other error ends the program. */
export class RpcFailure extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export type Parameters = Readonly<Record<string, unknown>>;

/** What the other side asks for; what it only tells is answered to nobody. */
export type Answer = (method: string, parameters: Parameters) => Promise<unknown>;

interface Message {
  id?: number | string;
  method?: string;
  params?: Parameters;
  result?: unknown;
  error?: { code: number; message: string };
}

/** JSON-RPC 2.0, one message per line, both sides asking. Requests run side by side. */
export class JsonRpc {
  readonly #answer: Answer;
  readonly #asked = new Map<number, (message: Message) => void>();
  readonly #running = new Set<Promise<void>>();
  readonly #fatal = Promise.withResolvers<never>();
  #lastId = 0;

  constructor(answer: Answer) {
    this.#answer = answer;
    this.#fatal.promise.catch((error: unknown) => void error);
  }

  /** Until the input ends and `onEnd` has stopped what still runs; throws what is no answer to anybody. */
  async serve(input: Readable, onEnd: () => void): Promise<void> {
    const lines = createInterface({ input });
    lines.on("line", (line) => this.#take(JSON.parse(line) as Message));
    const ended = new Promise<void>((resolve) => lines.once("close", resolve));
    await Promise.race([ended, this.#fatal.promise]);
    onEnd();
    const error = { code: INTERNAL, message: "the other side is gone" };
    for (const take of this.#asked.values()) take({ error });
    await Promise.race([Promise.all(this.#running), this.#fatal.promise]);
  }

  async tell(method: string, params: Parameters): Promise<void> {
    await writeJson({ jsonrpc: "2.0", method, params });
  }

  /** Throws RpcFailure when the other side refuses or goes away. */
  async ask(method: string, params: Parameters): Promise<unknown> {
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<Message>();
    this.#asked.set(id, resolve);
    await writeJson({ jsonrpc: "2.0", id, method, params });
    const { result, error } = await promise;
    if (error !== undefined) throw new RpcFailure(error.code, error.message);
    return result;
  }

  #take(message: Message): void {
    const { id, method, params = {} } = message;
    if (method === undefined) {
      this.#asked.get(Number(id))?.(message);
      this.#asked.delete(Number(id));
      return;
    }
    const running = this.#reply(id, this.#answer(method, params)).catch((error: unknown) =>
      this.#fatal.reject(error),
    );
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  async #reply(id: Message["id"], answer: Promise<unknown>): Promise<void> {
    try {
      const result = (await answer) ?? {};
      if (id !== undefined) await writeJson({ jsonrpc: "2.0", id, result });
    } catch (error) {
      if (!(error instanceof RpcFailure)) throw error;
      const { code, message } = error;
      if (id !== undefined) await writeJson({ jsonrpc: "2.0", id, error: { code, message } });
    }
  }
}

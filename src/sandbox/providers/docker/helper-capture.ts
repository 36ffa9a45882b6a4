import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ERROR_CODES, type ErrorCode } from "../../../errors/codes.ts";
import { CattlegridError } from "../../../errors/error.ts";
import { closeAll, DescriptorInbox } from "../../../platform/descriptor-inbox.ts";
import { openCaptureSockets, openConnection } from "../../capture/sockets.ts";
import type { CaptureSockets } from "../../provider.ts";
import type { Capture } from "./capture-way.ts";
import type { Engine } from "./engine.ts";
import { planHelper } from "./helper-plan.ts";

const TIMEOUT_MS = 60_000;

export interface HelperContext {
  engine: Engine;
  containerId: string;
  image: string;
  installation: string;
  /** Of this provider; only this user may enter it. */
  runtimeDirectory: string;
}

/**
 * Without rights of our own on the engine's kernel: a container joins the sandbox's network, opens the sockets, hands them
 * out by a local socket and is gone.
 */
export async function captureByHelper(
  context: HelperContext,
  signal: AbortSignal,
): Promise<Capture> {
  const { fds, removed } = await askHelper(context, undefined, signal);
  return new HelperCapture(openCaptureSockets(fds), context, removed);
}

class HelperCapture implements Capture {
  readonly way = "helper";
  readonly sockets: CaptureSockets;
  readonly #context: HelperContext;
  readonly #closed = new AbortController();
  /** Of helpers that have done their work. */
  readonly #removals = new Set<Promise<void>>();

  constructor(sockets: CaptureSockets, context: HelperContext, removed: Promise<void>) {
    this.sockets = sockets;
    this.#context = context;
    this.#await(removed);
  }

  async connect(port: number): Promise<Socket> {
    const { fds, removed } = await askHelper(this.#context, port, this.#closed.signal);
    this.#await(removed);
    const [fd = -1] = fds;
    return openConnection(fd);
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await Promise.all(this.#removals);
  }

  /** One that cannot be removed now is left to the next `reap`. */
  #await(removed: Promise<void>): void {
    const settled = removed.catch(expectFailure).finally(() => this.#removals.delete(settled));
    this.#removals.add(settled);
  }
}

interface HelperAnswer {
  fds: readonly number[];
  /** Settles when nothing of the helper is left. */
  removed: Promise<void>;
}

/** The descriptors that a helper made. When this fails nothing of it is left. */
async function askHelper(
  context: HelperContext,
  port: number | undefined,
  signal: AbortSignal,
): Promise<HelperAnswer> {
  const { engine, containerId, image, installation, runtimeDirectory } = context;
  const name = randomBytes(6).toString("hex");
  const directory = join(runtimeDirectory, `helper-${name}`);
  mkdirSync(directory, { recursive: true });
  // The helper is root without the right to pass by what is closed to it.
  chmodSync(directory, 0o711);
  const socketPath = join(directory, "s");
  const inbox = await DescriptorInbox.open(socketPath);
  const race = new AbortController();
  let helper: string | undefined;
  const remove = async (): Promise<void> => {
    race.abort();
    inbox.close();
    if (helper !== undefined) await engine.removeContainer(helper);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const plan = planHelper({
      containerId,
      image,
      installation,
      directory,
      socketPath,
      ...(port === undefined ? {} : { port }),
    });
    const received = inbox.receive();
    // When something else is first, nobody waits for it any more.
    received.catch(expectFailure);
    helper = await engine.createContainer(`cattlegrid-helper-${name}`, plan, signal);
    await engine.startContainer(helper, signal);
    const stopped = AbortSignal.any([signal, race.signal]);
    const { bytes, fds } = await Promise.race([
      received,
      engine.waitForEnd(helper, stopped).then((code) => failAfterEnd(code, race.signal)),
      delay(TIMEOUT_MS, undefined, { signal: stopped }).then(() => {
        throw unavailable("it was not done in time");
      }),
    ]);
    // The sandbox does not wait for it: whatever runs there now, the gateway has its sockets.
    return { fds: judge(bytes, fds), removed: remove() };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** What it left may still be on its way when it has ended. */
async function failAfterEnd(code: number, signal: AbortSignal): Promise<never> {
  await delay(1000, undefined, { signal });
  throw unavailable(`it ended with status ${code}`);
}

function judge(bytes: Buffer, fds: readonly number[]): readonly number[] {
  const { code, message, hint } = JSON.parse(bytes.toString("utf8")) as Record<string, string>;
  if (code === undefined && fds.length > 0) return fds;
  closeAll(fds);
  if (code === undefined) throw unavailable("it handed over nothing");
  const known = Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : "INTERNAL";
  throw new CattlegridError(known, message ?? "", hint === undefined ? {} : { hint });
}

function expectFailure(error: unknown): void {
  if (!CattlegridError.is(error)) throw error;
}

function unavailable(why: string): CattlegridError {
  const message = `The container that makes the gateway's sockets did not: ${why}.`;
  return new CattlegridError("EGRESS_UNAVAILABLE", message, {
    hint: "The Docker engine has to run on this machine's kernel and to see its directories; Docker Desktop's does not. Use --provider local there.",
  });
}

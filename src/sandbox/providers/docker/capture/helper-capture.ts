import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, realpathSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CattlegridError } from "../../../../errors/error.ts";
import { closeAll, DescriptorInbox } from "../../../../platform/descriptor-inbox.ts";
import type { DescriptorMessage } from "../../../../platform/native/descriptor-message.ts";
import type { CaptureSockets } from "../../../capture/capture-sockets.ts";
import { closedPort } from "../../../capture/connection.ts";
import { CLOSED, HANDED, handingCommand } from "../../../capture/handing-program.ts";
import { openCaptureSockets, openConnection } from "../../../capture/sockets.ts";
import { INTERPRETER } from "../../../capture/socket-program.ts";
import { bindMount } from "../container/container-plan.ts";
import { explainStart, planNeighbour } from "./neighbour-plan.ts";
import { unavailable, type Capture, type CaptureContext, type Neighbour } from "./way.ts";

const TIMEOUT_MS = 60_000;
/** Where this machine's interpreter is, with the C library and what else it stands on. */
const SYSTEM = ["/usr", "/lib", "/lib64"];

/**
 * Without rights of our own on the engine's kernel: a container joins the sandbox's network, opens the sockets, hands them
 * out by a local socket and is gone.
 */
export async function prepareHelper(
  context: CaptureContext,
  containerId: string,
  signal: AbortSignal,
): Promise<Neighbour> {
  const helper = await HelperContainer.make(context, { containerId }, signal);
  return {
    async open(opening) {
      const fds = await helper.ask(opening);
      return new HelperCapture(openCaptureSockets(fds), context, { containerId, helper });
    },
    discard: () => helper.remove(),
  };
}

class HelperCapture implements Capture {
  readonly way = "helper";
  readonly sockets: CaptureSockets;
  readonly #context: CaptureContext;
  readonly #containerId: string;
  readonly #closed = new AbortController();
  /** Of helpers that have done their work. */
  readonly #removals = new Set<Promise<void>>();

  constructor(
    sockets: CaptureSockets,
    context: CaptureContext,
    { containerId, helper }: { containerId: string; helper: HelperContainer },
  ) {
    this.sockets = sockets;
    this.#context = context;
    this.#containerId = containerId;
    this.#remove(helper);
  }

  async connect(port: number): Promise<Socket> {
    const { signal } = this.#closed;
    const helper = await HelperContainer.make(
      this.#context,
      { containerId: this.#containerId, port },
      signal,
    );
    const [fd = -1] = await helper.ask(signal);
    this.#remove(helper);
    return openConnection(fd);
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await Promise.all(this.#removals);
  }

  /** Nobody waits for it. One that cannot be removed now is left to the next `reap`. */
  #remove(helper: HelperContainer): void {
    const settled = helper
      .remove()
      .catch(expectFailure)
      .finally(() => this.#removals.delete(settled));
    this.#removals.add(settled);
  }
}

interface HelperParts {
  context: CaptureContext;
  directory: string;
  inbox: DescriptorInbox;
  id: string;
  /** The one to which it connects. Default: it captures. */
  port: number | undefined;
}

/** One helper container and the socket at which it leaves what it made. */
class HelperContainer {
  readonly #parts: HelperParts;
  #removed: Promise<void> | undefined;

  private constructor(parts: HelperParts) {
    this.#parts = parts;
  }

  static async make(
    context: CaptureContext,
    { containerId, port }: { containerId: string; port?: number },
    signal: AbortSignal,
  ): Promise<HelperContainer> {
    const { engine, image, labels, runtimeDirectory } = context;
    const name = randomBytes(6).toString("hex");
    const directory = join(runtimeDirectory, `helper-${name}`);
    mkdirSync(directory, { recursive: true });
    // The helper is root without the right to pass by what is closed to it.
    chmodSync(directory, 0o711);
    const path = join(directory, "s");
    const inbox = await DescriptorInbox.open(path);
    try {
      const plan = planNeighbour({
        containerId,
        labels,
        image: image.id,
        entrypoint: handingCommand({ path, port }),
        mounts: [...interpreterTrees().map((tree) => mount(tree, true)), mount(directory, false)],
      });
      const id = await engine.createContainer(`cattlegrid-helper-${name}`, plan, signal);
      return new HelperContainer({ context, directory, inbox, id, port });
    } catch (error) {
      inbox.close();
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** The descriptors that it made. When this fails nothing of it is left. */
  async ask(signal: AbortSignal): Promise<readonly number[]> {
    const { context, inbox, id, port } = this.#parts;
    const { engine, image } = context;
    const race = new AbortController();
    try {
      const received = inbox.receive();
      // When something else is first, nobody waits for it any more.
      received.catch(expectFailure);
      await engine.startContainer(id, signal);
      const stopped = AbortSignal.any([signal, race.signal]);
      const message = await Promise.race([
        received,
        engine.waitForEnd(id, stopped).then((code) => failAfterEnd(code, race.signal)),
        delay(TIMEOUT_MS, undefined, { signal: stopped }).then(() => {
          throw failed("it was not done in time");
        }),
      ]);
      return judge(message, port);
    } catch (error) {
      race.abort();
      await this.remove();
      throw explainStart(error, image.name);
    } finally {
      race.abort();
    }
  }

  /** Idempotent. */
  remove(): Promise<void> {
    this.#removed ??= this.#removeOnce();
    return this.#removed;
  }

  async #removeOnce(): Promise<void> {
    const { context, inbox, id, directory } = this.#parts;
    inbox.close();
    await context.engine.removeContainer(id);
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * This machine's interpreter where it has one, so that the image need not.
 * SECURITY: what a helper sees of this machine it cannot write, but for one socket.
 */
function interpreterTrees(): readonly string[] {
  if (!existsSync(`/usr/bin/${INTERPRETER}`)) return [];
  return SYSTEM.filter((path) => existsSync(path));
}

function mount(target: string, isReadonly: boolean): object {
  return bindMount({ source: realpathSync(target), target, isReadonly }, false);
}

/** What it left may still be on its way when it has ended. */
async function failAfterEnd(code: number, signal: AbortSignal): Promise<never> {
  await delay(1000, undefined, { signal });
  throw failed(`it ended with status ${code}`);
}

function judge({ bytes, fds }: DescriptorMessage, port: number | undefined): readonly number[] {
  const word = bytes.toString("utf8");
  if (word === HANDED && fds.length > 0) return fds;
  closeAll(fds);
  throw word === CLOSED && port !== undefined ? closedPort(port) : failed(word);
}

function expectFailure(error: unknown): void {
  if (!CattlegridError.is(error)) throw error;
}

function failed(why: string): CattlegridError {
  const message = `The container that makes the gateway's sockets did not: ${why}.`;
  return unavailable(
    message,
    "The Docker engine has to see this machine's directories: the runtime directory, and /usr.",
  );
}

import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { UpgradedConnection } from "../../../../platform/http-client.ts";
import { RelayLink } from "../../../capture/relay/link.ts";
import { relayCommand } from "../../../capture/relay/program.ts";
import { FrameReader } from "../engine/frames.ts";
import { explainStart, planNeighbour } from "./neighbour-plan.ts";
import { unavailable, type Capture, type CaptureContext, type Neighbour } from "./way.ts";

const TIMEOUT_MS = 60_000;
const COMPLAINT_LENGTH_MAX = 500;

/**
 * Across a kernel boundary, which no socket crosses: a container joins the sandbox's network, stays, and carries what lands
 * there over its standard streams, which the engine brings to us wherever it runs.
 */
export async function prepareRelay(
  context: CaptureContext,
  containerId: string,
  signal: AbortSignal,
): Promise<Neighbour> {
  const { engine, image, labels } = context;
  const name = `cattlegrid-relay-${randomBytes(6).toString("hex")}`;
  const plan = planNeighbour({
    containerId,
    labels,
    image: image.id,
    entrypoint: relayCommand(),
    hasInput: true,
  });
  const id = await engine.createContainer(name, plan, signal);
  let removed: Promise<unknown> | undefined;
  const discard = async (): Promise<void> => {
    await (removed ??= engine.removeContainer(id));
  };
  return {
    discard,
    async open(opening) {
      try {
        const capture = new RelayCapture(await engine.attachContainer(id, opening), discard);
        await engine.startContainer(id, opening);
        await capture.prepare(opening);
        return capture;
      } catch (error) {
        await discard();
        throw explainStart(error, image.name);
      }
    },
  };
}

class RelayCapture implements Capture {
  readonly way = "relay";
  readonly sockets;
  readonly lost: Promise<string>;
  readonly #link: RelayLink;
  readonly #socket: Socket;
  readonly #frames = new FrameReader();
  readonly #discard: () => Promise<void>;
  #complaint = "";

  constructor({ socket, head }: UpgradedConnection, discard: () => Promise<void>) {
    this.#socket = socket;
    this.#discard = discard;
    this.#link = new RelayLink((bytes) => void socket.write(bytes));
    this.sockets = this.#link.sockets;
    this.lost = this.#link.lost;
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    const lose = (): void =>
      this.#link.lose(this.#complaint.trim() || "the connection to it ended");
    for (const event of ["error", "end", "close"]) socket.once(event, lose);
    if (head.length > 0) this.#take(head);
  }

  async prepare(signal: AbortSignal): Promise<void> {
    const race = new AbortController();
    const stopped = AbortSignal.any([signal, race.signal]);
    const deadline = delay(TIMEOUT_MS, undefined, { signal: stopped }).then(() => {
      throw unavailable("The relay beside the sandbox was not ready in time.", HINT);
    });
    try {
      await Promise.race([this.#link.prepare(), deadline]);
    } catch (error) {
      this.#socket.destroy();
      throw error;
    } finally {
      race.abort();
      await Promise.allSettled([deadline]);
    }
  }

  connect(port: number): Promise<Socket> {
    return this.#link.connect(port);
  }

  async close(): Promise<void> {
    this.#link.lose("the sandbox ends");
    this.#socket.destroy();
    await this.#discard();
  }

  #take(bytes: Buffer): void {
    for (const { stream, bytes: part } of this.#frames.take(bytes)) {
      if (stream === "output") this.#link.take(part);
      else this.#complaint = (this.#complaint + String(part)).slice(-COMPLAINT_LENGTH_MAX);
    }
  }
}

const HINT = "Try again; `docker events` says what the engine does meanwhile.";

import { randomUUID } from "node:crypto";
import { applyNetwork, type NetworkWish } from "./account.ts";
import type { Machine, Network } from "./machine.ts";
import { Refusal } from "./refusal.ts";
import type { SandboxRequest } from "./sandbox-request.ts";
import type { Session } from "./toolbox/session.ts";
import type { Terminal } from "./toolbox/terminal.ts";

export type SandboxState =
  | "creating"
  | "restoring"
  | "started"
  | "starting"
  | "stopped"
  | "stopping"
  | "destroyed"
  | "destroying"
  | "error"
  | "build_failed"
  | "pending_build"
  | "building_snapshot"
  | "archived"
  | "archiving"
  | "resizing"
  | "snapshotting"
  | "forking";

export interface Resources {
  cpu: number;
  memory: number;
  disk: number;
}

export interface Intervals {
  autoStopInterval: number;
  autoPauseInterval: number;
  autoArchiveInterval: number;
  autoDeleteInterval: number;
}

const DEFAULT_AUTO_STOP_MINUTES = 15;
const DEFAULT_AUTO_ARCHIVE_MINUTES = 7 * 24 * 60;
const MINUTE_MS = 60_000;

export interface SandboxOptions {
  request: Partial<SandboxRequest>;
  network: NetworkWish;
  snapshot: string | undefined;
  resources: Resources;
  now: number;
}

/** One sandbox as the service knows it; `machine` is there while it is started. */
export class FakeSandbox {
  readonly id = randomUUID();
  readonly name: string;
  readonly snapshot: string | undefined;
  readonly dockerfile: string | undefined;
  readonly user: string;
  readonly target: string;
  readonly volumes: SandboxRequest["volumes"];
  readonly createdAt: number;
  /** What `POST /env` changes too. */
  environment: Record<string, string>;
  labels: Record<string, string>;
  isPublic: boolean;
  network: Network;
  resources: Resources;
  intervals: Intervals;
  destroyAt: number | undefined;
  state: SandboxState = "creating";
  desiredState: "started" | "stopped" | "destroyed" | "archived" = "started";
  errorReason: string | undefined;
  updatedAt: number;
  lastActivityAt: number;
  machine: Machine | undefined;
  /** Toolbox exchanges and sockets that are open: activity, as the proxy sees it. */
  openExchanges = 0;
  readonly previewToken = randomUUID().replaceAll("-", "");
  signingKey: string = randomUUID();
  /** Signed preview links by token. */
  readonly links = new Map<string, { port: number; expiresAt: number }>();
  readonly terminals = new Map<string, Terminal>();
  readonly sessions = new Map<string, Session>();
  /** How often a client has asked for it since it is in its present state. */
  polls = 0;

  constructor({ request, network, snapshot, resources, now }: SandboxOptions) {
    this.name = request.name ?? this.id;
    this.snapshot = snapshot;
    this.dockerfile = request.buildInfo?.dockerfileContent;
    this.user = request.user ?? "daytona";
    this.target = request.target ?? "us";
    this.volumes = request.volumes ?? [];
    this.environment = { ...request.env };
    this.labels = { ...request.labels };
    this.isPublic = request.public ?? false;
    this.network = applyNetwork({ networkBlockAll: false }, network);
    this.resources = resources;
    this.intervals = readIntervals(request);
    this.createdAt = this.updatedAt = this.lastActivityAt = now;
    this.setTimeToLive(request.ttlMinutes ?? 0, now);
  }

  get isEphemeral(): boolean {
    return this.intervals.autoDeleteInterval === 0;
  }

  setTimeToLive(minutes: number, now: number): void {
    this.destroyAt = minutes > 0 ? now + minutes * MINUTE_MS : undefined;
  }

  become(state: SandboxState, now: number, reason?: string): void {
    this.state = state;
    this.errorReason = reason;
    this.updatedAt = now;
    this.polls = 0;
  }

  /** The machine of a started sandbox. Throws what the proxy answers for one that is not. */
  running(): Machine {
    if (this.machine !== undefined && this.state === "started") return this.machine;
    const why = "no IP address found. Is the Sandbox started?";
    const message = `bad request: failed to resolve container IP after 3 attempts: ${why}`;
    throw new Refusal(["proxy", 400], message, { code: "SANDBOX_NOT_RUNNING" });
  }
}

function readIntervals(request: Partial<SandboxRequest>): Intervals {
  return {
    autoStopInterval: request.autoStopInterval ?? DEFAULT_AUTO_STOP_MINUTES,
    autoPauseInterval: request.autoPauseInterval ?? 0,
    autoArchiveInterval: request.autoArchiveInterval ?? DEFAULT_AUTO_ARCHIVE_MINUTES,
    autoDeleteInterval: request.autoDeleteInterval ?? -1,
  };
}

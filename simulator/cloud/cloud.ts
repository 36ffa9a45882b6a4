import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { EventEmitter } from "node:events";
import { serveApprovalPage } from "./approval-page.ts";
import { createCertificates } from "./certificate.ts";
import { serveDownload, serveInstaller } from "./download.ts";
import type { InstallerFault } from "./download.ts";
import { sendJson } from "./exchange.ts";
import type { Exchange } from "./exchange.ts";
import * as hosts from "./hosts.ts";
import { serveOidc, serveSocial } from "./identity.ts";
import type { Identity } from "./identity.ts";
import { listen } from "./listener.ts";
import { serveManagement } from "./management.ts";
import type { Account } from "./management.ts";
import { buildRelease } from "./package.ts";
import type { Release } from "./package.ts";
import { openMeeting, serveRuntime } from "./runtime.ts";
import type { Runtime } from "./runtime.ts";
import type { ServiceFailure } from "./script.ts";
import { SignIns } from "./sign-in.ts";
import type { SignInEvents, SignInState } from "./sign-in.ts";
import { Tokens } from "./tokens.ts";

export interface KiroCloudOptions {
  /** Where the authority's certificate is written; made when absent. The caller removes it. */
  directory: string;
  /** Default 127.0.0.1. */
  host?: string;
  /** Of the HTTPS listener; default 0, any free port. */
  port?: number;
  /** Who approves a sign-in: a person or a test (`manual`, the default), or the cloud itself. */
  approval?: "manual" | "auto";
  /** Whether Enter in the waiting stand-in approves; default false. */
  enterApproves?: boolean;
  /** Where built packages are kept; default what KIRO_SIMULATOR_CACHE names, else `directory`/cache. */
  cacheDirectory?: string;
  /** Version the package states; default 2.21.2. */
  version?: string;
  /** FAKE_KIRO_* settings the installed stand-in starts with; its environment overrides them. */
  profile?: Readonly<Record<string, string>>;
  installerFault?: InstallerFault;
  /** Between two words of an answer; default 0. */
  paceMs?: number;
  /** Seconds between two polls of a login; default 1. */
  pollIntervalSeconds?: number;
  /** Default 10 minutes. */
  codeLifetimeMs?: number;
  /** Default one hour. */
  tokenLifetimeMs?: number;
  /** Keys accepted as KIRO_API_KEY; default `ksk_simulated`. */
  apiKeys?: readonly string[];
  account?: Account;
  /** `silent`: telemetry hosts take requests and never answer; default `answers`. */
  telemetry?: "answers" | "silent";
}

/** A simulated Kiro cloud on loopback. Whoever starts it disposes it. */
export interface KiroCloud extends AsyncDisposable {
  /** host:port of the HTTPS listener that answers for all of Kiro's names. */
  readonly address: string;
  readonly port: number;
  /** Value for CATTLEGRID_MIRRORS. */
  readonly mirrors: string;
  /** PEM file for CATTLEGRID_MIRROR_CA. */
  readonly authorityPath: string;
  /** Loopback page where a person approves a sign-in. */
  readonly approvalUrl: string;
  /** `pending` when a device code was given out, `waiting` at its first poll, `settled` when it was decided. */
  readonly events: EventEmitter<SignInEvents>;
  /** Every request so far, as "host METHOD path". */
  readonly requests: readonly string[];
  /** What the download host says of the release: its files and their checksums, as JSON. */
  manifest(): Promise<string>;
  pendingCodes(): string[];
  approve(userCode: string): boolean;
  deny(userCode: string): boolean;
  expire(userCode: string): boolean;
  /** Answers the next poll of this code with slow-down, which ends a Kiro login. */
  slowDown(userCode: string): boolean;
  /** Makes every model request fail like this; undefined makes the service well again. */
  setFailure(failure: ServiceFailure | undefined): void;
  /** Forgets all tokens, as when sessions are revoked. */
  revokeTokens(): void;
  /** Of the tokens that are given out from now on. */
  setTokenLifetime(lifetimeMs: number): void;
  /** Exchanges of refresh tokens so far; a token is worth one. */
  readonly refreshes: { readonly accepted: number; readonly refused: number };
}

const DEFAULTS = {
  host: "127.0.0.1",
  port: 0,
  approval: "manual",
  enterApproves: false,
  version: "2.21.2",
  profile: {},
  installerFault: "none",
  telemetry: "answers",
  paceMs: 0,
  pollIntervalSeconds: 1,
  codeLifetimeMs: 10 * 60 * 1000,
  tokenLifetimeMs: 60 * 60 * 1000,
  apiKeys: ["ksk_simulated"],
  account: {
    email: "someone@example.invalid",
    profiles: [
      {
        arn: "arn:aws:codewhisperer:us-east-1:123456789012:profile/SIMULATED",
        profileName: "simulated-profile",
      },
    ],
  },
} as const satisfies Partial<KiroCloudOptions>;

export async function startKiroCloud(options: KiroCloudOptions): Promise<KiroCloud> {
  const { directory, host, port } = { ...DEFAULTS, ...options };
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const certificates = createCertificates(hosts.ALL_HOSTS);
  const authorityPath = join(directory, "simulator-ca.pem");
  await writeFile(authorityPath, certificates.authority, { mode: 0o644 });
  const service = createService(options);
  const requests: string[] = [];
  await using stack = new AsyncDisposableStack();
  const cloud = stack.use(
    await listen({
      host,
      port,
      credentials: { key: certificates.privateKey, cert: certificates.certificate },
      answer: (exchange) => {
        requests.push(describe(exchange));
        return route(exchange, service);
      },
    }),
  );
  const answer = (exchange: Exchange): Promise<void> =>
    serveApprovalPage(exchange, service.identity.signIns);
  const approval = stack.use(await listen({ host, port: 0, answer }));
  const owned = stack.move();
  const address = `${host}:${String(cloud.port)}`;
  return {
    address,
    port: cloud.port,
    mirrors: hosts.formatMirrors(address),
    authorityPath,
    approvalUrl: `http://${host}:${String(approval.port)}/`,
    requests,
    manifest: async () => (await service.release()).manifest,
    ...controls(service),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface Service {
  identity: Identity;
  runtime: Runtime;
  /** Built when it is first asked for: most tests never install. */
  release(): Promise<Release>;
  account: Account;
  installerFault: InstallerFault;
  telemetry: "answers" | "silent";
}

function createService(options: KiroCloudOptions): Service {
  const settings = { ...DEFAULTS, ...options };
  const { approval, codeLifetimeMs, enterApproves, paceMs, apiKeys, version, profile } = settings;
  const tokens = new Tokens(settings.tokenLifetimeMs);
  const signIns = new SignIns({ approval, codeLifetimeMs });
  const intervalSeconds = settings.pollIntervalSeconds;
  const cacheDirectory =
    options.cacheDirectory ??
    process.env["KIRO_SIMULATOR_CACHE"] ??
    join(options.directory, "cache");
  let release: Promise<Release> | undefined;
  return {
    identity: { signIns, tokens, intervalSeconds, enterApproves },
    runtime: {
      tokens,
      apiKeys,
      paceMs,
      failure: undefined,
      creditsUsed: 0,
      meeting: openMeeting(),
    },
    release: () => (release ??= buildRelease({ version, cacheDirectory, profile })),
    account: settings.account,
    installerFault: settings.installerFault,
    telemetry: settings.telemetry,
  };
}

type Controls = Pick<
  KiroCloud,
  | "events"
  | "pendingCodes"
  | "approve"
  | "deny"
  | "expire"
  | "slowDown"
  | "setFailure"
  | "revokeTokens"
  | "setTokenLifetime"
  | "refreshes"
>;

function controls({ identity, runtime }: Service): Controls {
  const { signIns } = identity;
  const settle = (state: Exclude<SignInState, "pending">) => (userCode: string) =>
    signIns.settle(userCode, state);
  return {
    events: signIns.events,
    pendingCodes: () => signIns.pending().map(({ userCode }) => userCode),
    approve: settle("approved"),
    deny: settle("denied"),
    expire: settle("expired"),
    slowDown: settle("slowed"),
    setFailure: (failure) => {
      runtime.failure = failure;
    },
    revokeTokens: () => identity.tokens.revokeAll(),
    setTokenLifetime: (lifetimeMs) => {
      identity.tokens.lifetimeMs = lifetimeMs;
    },
    refreshes: identity.tokens.refreshes,
  };
}

function describe({ host, request, url }: Exchange): string {
  return `${host} ${request.method ?? "GET"} ${url.pathname}`;
}

async function route(exchange: Exchange, service: Service): Promise<void> {
  const { host } = exchange;
  if (host === hosts.INSTALLER_HOST) return serveInstaller(exchange, service.installerFault);
  if (host === hosts.DOWNLOAD_HOST) {
    return serveDownload(exchange, await service.release(), service.installerFault);
  }
  if (hosts.IDENTITY_HOSTS.includes(host)) return serveOidc(exchange, service.identity);
  if (host === hosts.SOCIAL_HOST) return serveSocial(exchange, service.identity);
  if (hosts.RUNTIME_HOSTS.includes(host)) return serveRuntime(exchange, service.runtime);
  if (hosts.MANAGEMENT_HOSTS.includes(host)) return serveManagement(exchange, service);
  if (hosts.TELEMETRY_HOSTS.includes(host)) {
    return service.telemetry === "silent" ? undefined : sendJson(exchange, 200, {});
  }
  return sendJson(exchange, 421, { message: `the simulator does not answer for ${host}` });
}

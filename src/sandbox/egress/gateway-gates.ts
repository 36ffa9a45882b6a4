import { X509Certificate } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createCeilings, type Ceilings } from "../../egress/ceiling/ceilings.ts";
import { compilePolicy, type CeilingFile } from "../../egress/policy/compile-policy.ts";
import { openAuthority, type Authority } from "../../egress/inspection/authority.ts";
import { HostTrust } from "../../egress/inspection/host-trust.ts";
import type { Inspection } from "../../egress/inspection/inspect.ts";
import { ServerContexts } from "../../egress/inspection/server-contexts.ts";
import { openGateway, type Gateway } from "../../egress/gateway.ts";
import { parseMirrors, type Mirrors } from "../../egress/mirrors.ts";
import { createNameResolver } from "../../egress/dns/name-resolver.ts";
import type { EgressPolicy } from "../../egress/policy/policy.ts";
import { readRecords } from "../../egress/record-reader.ts";
import { openRecorder, type Recorder } from "../../egress/recorder.ts";
import { ProxyCredentials } from "../../egress/upstream/credentials.ts";
import { createUpstream, type Upstream } from "../../egress/upstream/tunnel.ts";
import { readUpstream } from "../../egress/upstream/upstream-file.ts";
import { CattlegridError } from "../../errors/error.ts";
import type { Logger } from "../../platform/logger.ts";
import type { EgressRecord } from "../../protocol/egress.ts";
import { addressPolicyOf } from "./address-policy.ts";
import { demandedEgress } from "../making/demands.ts";
import type { Gate, GateRequest, Gates } from "./gates.ts";
import type { CaptureSockets } from "../capture/capture-sockets.ts";

export interface GatewayGatesOptions {
  /** Where records lie, outside every sandbox. Made when it is first needed. */
  directory: string;
  /** Key and certificate of the authority that vouches for inspected hosts. Made when it is first needed. */
  authorityFile: string;
  /** Default: everything that is allowed is dialled directly. */
  upstream?: UpstreamOptions | undefined;
  logger: Logger;
  /** Told of each decision as it is made. */
  onRecord?(record: EgressRecord): void;
  /** Default: no organisation has a say. */
  ceilings?: Ceilings;
}

export interface UpstreamOptions {
  /** Files that may name the operator's proxy; the first that exists counts. Read at every start. */
  files: readonly string[];
  /** Of the daemon: where a secret may be, and what a command for it runs with. */
  environment: Readonly<Record<string, string | undefined>>;
}

/** Gates that are egress gateways of this process. */
export function createGatewayGates(options: GatewayGatesOptions): Gates {
  const { directory, logger, ceilings = createCeilings([]) } = options;
  const resolveName = createNameResolver();
  const inspecting = createInspecting(options.authorityFile);
  const pathOf = (sandboxId: string): string => join(directory, `${sandboxId}.jsonl`);
  const openRecord = async (sandboxId: string): Promise<Recorder> => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const onFailure = (error: Error): void =>
      logger.error("egress records could not be written", { sandboxId, error });
    const recorder = await openRecorder({ path: pathOf(sandboxId), onFailure });
    return options.onRecord === undefined ? recorder : tellRecords(recorder, options.onRecord);
  };
  return {
    compile: (request) => compileUnder(ceilings.standing(), request),
    prepare(request) {
      const { sandboxId, sandboxName, isLearning, mirrors: redirections } = request;
      // Nothing new starts under a ceiling that cannot be read.
      const policy = compileUnder(ceilings.read(), request);
      const mirrors = parseMirrors(redirections?.targets ?? "");
      const mirrorCertificates = splitCertificates(redirections?.certificates ?? "");
      const { authority, inspection } = inspecting();
      const upstream = openUpstream(options.upstream, inspection.trust);
      const proxied = upstream?.proxy.certificates ?? [];
      return {
        preset: policy.preset,
        // Connections can be led elsewhere only by whoever makes them.
        demands: redirections === null ? demandedEgress(policy) : "enforced",
        hasMirrors: redirections !== null,
        addresses: addressPolicyOf(policy),
        // A rule that needs inspection may come while the sandbox runs, so every one trusts the authority.
        certificates: [authority.certificate, ...proxied, ...mirrorCertificates],
        async open() {
          const recorder = await openRecord(sandboxId);
          return new GatewayGate(
            {
              sandboxId,
              sandboxName,
              isLearning,
              policy,
              mirrors,
              mirrorCertificates,
              inspection,
              upstream,
              resolveName,
            },
            recorder,
          );
        },
      };
    },
    read: (sandboxId, reading) => readRecords({ path: pathOf(sandboxId), ...reading }),
    async append(sandboxId, records) {
      const recorder = await openRecord(sandboxId);
      for (const record of records) recorder.record(record);
      await recorder.close();
    },
    async remove(sandboxId) {
      for (const ending of ["", ".1"]) await rm(pathOf(sandboxId) + ending, { force: true });
    },
  };
}

function compileUnder(
  organisation: readonly CeilingFile[],
  { hosts, above: template, ...rest }: GateRequest,
): EgressPolicy {
  const { ceilings = [], deny = [] } = template?.policy ?? {};
  return compilePolicy({
    ...rest,
    agentHosts: hosts,
    ceilings: [
      ...organisation,
      ...ceilings.map((file) => ({ ...file, layer: "template" as const })),
    ],
    templateDeny: deny,
  });
}

/** Opens the authority once, when the first sandbox needs it. */
function createInspecting(file: string): () => { authority: Authority; inspection: Inspection } {
  let opened: { authority: Authority; inspection: Inspection } | undefined;
  return () => {
    if (opened !== undefined) return opened;
    const authority = openAuthority(file);
    const inspection = { contexts: new ServerContexts(authority), trust: new HostTrust() };
    return (opened = { authority, inspection });
  };
}

function openUpstream(
  options: UpstreamOptions | undefined,
  trust: HostTrust,
): Upstream | undefined {
  const proxy = readUpstream(options?.files ?? []);
  if (proxy === undefined) return undefined;
  const { credentials: source } = proxy;
  const credentials = source && new ProxyCredentials(source, options?.environment ?? {});
  return createUpstream(proxy, { credentials, trust });
}

function tellRecords(recorder: Recorder, tell: (record: EgressRecord) => void): Recorder {
  return {
    record(record) {
      recorder.record(record);
      tell(record);
    },
    close: () => recorder.close(),
  };
}

interface GatewayParts {
  sandboxId: string;
  sandboxName: string;
  isLearning: boolean | undefined;
  policy: EgressPolicy;
  mirrors: Mirrors;
  mirrorCertificates: readonly string[];
  inspection: Inspection;
  upstream: Upstream | undefined;
  resolveName: ReturnType<typeof createNameResolver>;
}

class GatewayGate implements Gate {
  readonly #parts: GatewayParts;
  readonly #recorder: Recorder;
  #gateway: Gateway | undefined;

  constructor(parts: GatewayParts, recorder: Recorder) {
    this.#parts = parts;
    this.#recorder = recorder;
  }

  get policy(): EgressPolicy {
    return this.#parts.policy;
  }

  get isCapturing(): boolean {
    return this.#gateway !== undefined;
  }

  get receivedBytes(): number {
    return this.#gateway?.receivedBytes ?? 0;
  }

  capture(sockets: CaptureSockets): void {
    const record = this.#recorder.record.bind(this.#recorder);
    this.#gateway = openGateway({ ...this.#parts, sockets, record });
  }

  setPolicy(policy: EgressPolicy): void {
    this.#parts.policy = policy;
    this.#gateway?.setPolicy(policy);
  }

  record(record: EgressRecord): void {
    this.#recorder.record(record);
  }

  async close(): Promise<void> {
    await this.#gateway?.close();
    await this.#recorder.close();
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** One PEM text per certificate. Throws MIRROR_INVALID for a text that holds none, or a broken one. */
function splitCertificates(text: string): readonly string[] {
  if (text.trim() === "") return [];
  const found = text.match(CERTIFICATE) ?? [];
  if (found.length > 0 && found.every(isCertificate)) return found.map((each) => `${each}\n`);
  const message =
    "The mirrors' certificate file holds no certificate in PEM form, or a broken one.";
  throw new CattlegridError("MIRROR_INVALID", message, {
    hint: "Point CATTLEGRID_MIRROR_CA at a PEM file of the authority that signed the mirrors.",
  });
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch (error) {
    if (error instanceof Error && "code" in error) return false;
    throw error;
  }
}

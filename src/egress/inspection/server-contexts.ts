import { constants, generateKeyPairSync, type KeyObject } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import type { HostName } from "../host-name.ts";
import type { Authority } from "./authority.ts";
import { signServer } from "./certificate.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Some clients refuse certificates whose life is long; a sandbox's clock may lag behind ours. */
const LIFE_MS = 7 * DAY_MS;
const RENEW_MS = 5 * DAY_MS;
/** A sandbox can invent names under a tree rule; what it makes us remember has a bound. */
const CONTEXTS_MAX = 256;

/** What inspected hosts show to clients inside: one certificate for each name, made when it is first wanted. */
export class ServerContexts {
  readonly #authority: Authority;
  readonly #keys: { privateKey: KeyObject; publicKey: KeyObject };
  readonly #contexts = new Map<HostName, { context: SecureContext; madeAt: number }>();

  constructor(authority: Authority) {
    this.#authority = authority;
    this.#keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  }

  for(hostName: HostName, now = Date.now()): SecureContext {
    const known = this.#contexts.get(hostName);
    this.#contexts.delete(hostName);
    const isFresh = known !== undefined && now - known.madeAt < RENEW_MS;
    const entry = isFresh ? known : { context: this.#make(hostName, now), madeAt: now };
    // The map keeps the order of use: the first is the one unused for longest.
    this.#contexts.set(hostName, entry);
    const [oldest] = this.#contexts.keys();
    if (this.#contexts.size > CONTEXTS_MAX && oldest !== undefined) this.#contexts.delete(oldest);
    return entry.context;
  }

  #make(hostName: HostName, now: number): SecureContext {
    const validity = { from: new Date(now - DAY_MS), until: new Date(now + LIFE_MS) };
    const { privateKey, publicKey } = this.#keys;
    const cert = signServer(this.#authority.signer, { hostName, publicKey, validity });
    return createSecureContext({
      key: privateKey.export({ type: "pkcs8", format: "pem" }),
      cert,
      minVersion: "TLSv1.2",
      // SECURITY: a second handshake could name another host after the first was compared.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    });
  }
}

import type { FakeDaytona } from "../../simulator/daytona/daytona.ts";
import { REGISTRY_IN_REACH } from "../agents/registry.ts";
import {
  DAYTONA_NEEDS,
  openFakeDaytona,
  type OpenFakeDaytonaOptions,
} from "../support/fake-daytona.ts";
import { allOf, program } from "../support/requirement.ts";
import { loadSdk, type SdkClient, type SdkSandbox, type SdkTerminal } from "./sdk.ts";

export const SDK_NEEDS = allOf(DAYTONA_NEEDS, program("npm"), program("flock"), REGISTRY_IN_REACH);

/** A fake Daytona, and Daytona's own SDK that takes it for the service. */
export class SdkYard implements AsyncDisposable {
  readonly fake: FakeDaytona;
  readonly daytona: SdkClient;
  #terminals = 0;

  private constructor(fake: FakeDaytona, daytona: SdkClient) {
    this.fake = fake;
    this.daytona = daytona;
  }

  static async open(options: OpenFakeDaytonaOptions = {}): Promise<SdkYard> {
    const { Daytona } = await loadSdk();
    const fake = await openFakeDaytona(options);
    return new SdkYard(fake, new Daytona({ apiKey: fake.key, apiUrl: fake.url, target: "us" }));
  }

  /** A terminal with what it wrote; `until` resolves when that matches. */
  async terminal(
    sandbox: SdkSandbox,
    options: { id?: string; attach?: boolean; cols?: number; envs?: Record<string, string> } = {},
  ): Promise<SeenTerminal> {
    const { id = `terminal-${(this.#terminals += 1)}`, attach = false, ...rest } = options;
    const seen = new Seen();
    const onData = (bytes: Uint8Array): void => seen.add(bytes);
    const terminal = attach
      ? await sandbox.process.connectPty(id, { onData })
      : await sandbox.process.createPty({ id, onData, ...rest });
    return { id, terminal, seen };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daytona[Symbol.asyncDispose]();
    await this.fake[Symbol.asyncDispose]();
  }
}

export interface SeenTerminal {
  id: string;
  terminal: SdkTerminal;
  seen: Seen;
}

/** The output so far, which can be waited for. */
export class Seen {
  text = "";
  readonly #decoder = new TextDecoder();
  #wake = Promise.withResolvers<void>();

  add(bytes: Uint8Array): void {
    this.text += this.#decoder.decode(bytes, { stream: true });
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }

  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.text)) await this.#wake.promise;
  }
}

import type { SdkClient, SdkSandbox } from "./sdk.ts";

const MARKER = "__GUIDE_READY__";
const BINARY = '"$HOME/.local/bin/kiro-cli"';

export interface Attached {
  exitCode: number | undefined;
  /** What a user of it would have seen. */
  output: string;
}

/** Kiro in a sandbox the way Daytona's own guide has it, with Daytona's own SDK and nothing of ours. */
export class GuideSession {
  readonly sandbox: SdkSandbox;
  #isResumable = false;
  #terminals = 0;

  private constructor(sandbox: SdkSandbox) {
    this.sandbox = sandbox;
  }

  static async create(daytona: SdkClient): Promise<GuideSession> {
    return new GuideSession(await daytona.create());
  }

  /** The exit code of the installer says nothing; that the program answers does. */
  async install(): Promise<string> {
    const { process } = this.sandbox;
    await process.executeCommand("curl -fsSL https://cli.kiro.dev/install | bash 2>&1");
    const { exitCode, result } = await process.executeCommand(`${BINARY} --version`);
    if (exitCode !== 0) throw new Error(`Kiro did not install: ${result}`);
    return result.trim();
  }

  /** `onOutput` is where a person reads the code that is to be approved. */
  async login(keys: string, onOutput: (text: string) => void): Promise<string> {
    await this.attach(`${BINARY} login --use-device-flow`, { keys, onOutput });
    const { exitCode, result } = await this.sandbox.process.executeCommand(`${BINARY} whoami`);
    if (exitCode !== 0) throw new Error(`The login did not complete: ${result}`);
    return result;
  }

  async turn(prompt: string): Promise<Attached> {
    const resume = this.#isResumable ? "--resume " : "";
    const flags = `chat --no-interactive --trust-all-tools ${resume}`;
    const attached = await this.attach(`${BINARY} ${flags}${quote(prompt)}`);
    if (attached.exitCode === 0) this.#isResumable = true;
    return attached;
  }

  /** One terminal for one command: a marker hides the line that was typed to start it. */
  async attach(
    command: string,
    { keys = "", onOutput }: { keys?: string; onOutput?(text: string): void } = {},
  ): Promise<Attached> {
    const decoder = new TextDecoder();
    let collected = "";
    let output: string | undefined;
    const terminal = await this.sandbox.process.createPty({
      id: `guide-${Date.now()}-${(this.#terminals += 1)}`,
      cols: 120,
      rows: 30,
      onData: (bytes) => {
        collected += decoder.decode(bytes, { stream: true });
        const seen = new RegExp(`(?:^|[\\r\\n])${MARKER}[\\r\\n]([^]*)$`).exec(collected)?.[1];
        if (seen === undefined) return;
        if (output === undefined && keys !== "") void terminal.sendInput(keys);
        output = seen;
        onOutput?.(seen);
      },
    });
    const change = `cd ${quote(await this.sandbox.getWorkDir())}`;
    await terminal.sendInput(`${change}; printf '\\n${MARKER}\\n'; exec ${command}\n`);
    const { exitCode } = await terminal.wait();
    await terminal.disconnect();
    return { exitCode, output: output ?? "" };
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

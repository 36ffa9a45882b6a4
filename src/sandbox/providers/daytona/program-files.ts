import { CattlegridError } from "../../../errors/error.ts";
import { NOTHING_LEFT, signalSession } from "../../guest/session-signal.ts";
import { explainAnnouncement, type Announcement } from "../../guest/program-start.ts";
import { quote } from "./start-file.ts";
import { asInput, type Toolbox } from "./toolbox.ts";

const PLACE_TRIES = 3;

/** The files of one program inside, and what the guest program does with them. */
export class ProgramFiles {
  readonly id: string;
  readonly #toolbox: Toolbox;
  readonly #root: string;

  /** `root`: where the guest program lies. */
  constructor(toolbox: Toolbox, root: string, id: string) {
    this.#toolbox = toolbox;
    this.#root = root;
    this.id = id;
  }

  /** The directory. */
  get path(): string {
    return `${this.#root}/p/${this.id}`;
  }

  /** What is typed to see the transcript from there; short, whatever the program is. */
  showCommand(token: string, place: string): string {
    // What follows a space is kept out of a shell's history, and nothing is left of the shell.
    return ` exec sh ${quote(`${this.#root}/program`)} show ${this.id} ${token} ${place}\n`;
  }

  async giveInput(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#toolbox.execute(`umask 077; mkdir -p ${quote(this.path)}`, signal);
    await this.#toolbox.upload(`${this.path}/input`, bytes, signal);
  }

  /**
   * Starts the program, once however often this arrives there. Resolves with the leader of its session. Throws why it did
   * not start.
   */
  async launch(
    start: string,
    { program, cwd }: { program: string; cwd: string },
    signal: AbortSignal,
  ): Promise<number> {
    const path = quote(this.path);
    const text = [
      `umask 077; mkdir -p ${path} && cd ${path} || exit 1`,
      `base64 -d >"start.$$" ${asInput(Buffer.from(start))}`,
      `[ -e started ] || mv "start.$$" start; rm -f "start.$$"`,
      this.#call("launch"),
    ].join("\n");
    const { output } = await this.#toolbox.execute(text, signal);
    const [word = "", argument = ""] = (output.trim().split("\n").at(-1) ?? "").split(" ");
    if (word === "unsuitable") throw unsuitable(argument);
    if (!ANNOUNCEMENTS.has(word)) {
      const message = `The program was not started: ${output.trim() || "nothing was said"}.`;
      throw new CattlegridError("PROVIDER_FAILED", message);
    }
    const failure = explainAnnouncement(word as Announcement, { program, cwd });
    if (failure !== undefined) throw failure;
    return Number(argument);
  }

  /** Gives a piece of input, numbered from 0. False when the program takes none any more. */
  async place(number: number, bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
    for (let failed = 0; ;) {
      const script = this.#call(`place`, String(number)).trimEnd();
      const { output } = await this.#toolbox.execute(`${script} ${asInput(bytes)}`, signal);
      const word = output.trim();
      if (word === "placed" || word === "gone") return word === "placed";
      if (word === "full") continue;
      failed += 1;
      if (failed === PLACE_TRIES) {
        throw new CattlegridError("PROVIDER_FAILED", `The program's input was not taken: ${word}`);
      }
    }
  }

  async finish(signal: AbortSignal): Promise<void> {
    await this.#toolbox.execute(this.#call("finish"), signal);
  }

  async resize(rows: number, columns: number, signal: AbortSignal): Promise<void> {
    await this.#toolbox.execute(this.#call("resize", String(rows), String(columns)), signal);
  }

  /** Sends a signal to the program's session; false when nothing of it runs. */
  async signal(
    name: NodeJS.Signals,
    { leader, reach }: { leader: number; reach: "groups" | "session" },
    signal: AbortSignal,
  ): Promise<boolean> {
    const argv = signalSession(name, leader, reach);
    const { exitCode } = await this.#toolbox.execute(`exec ${argv.map(quote).join(" ")}`, signal);
    return exitCode !== NOTHING_LEFT;
  }

  async forget(segment: string, signal: AbortSignal): Promise<void> {
    await this.#toolbox.execute(`rm -f ${quote(`${this.path}/${segment}`)}`, signal);
  }

  async remove(signal: AbortSignal): Promise<void> {
    await this.#toolbox.execute(`rm -rf ${quote(this.path)}`, signal);
  }

  /** SECURITY: in an environment of its own, whatever the service has in that of its shells. */
  #call(verb: string, ...rest: readonly string[]): string {
    const program = quote(`${this.#root}/program`);
    return `exec env -i PATH="$PATH" sh ${program} ${[verb, this.id, ...rest].join(" ")}\n`;
  }
}

const ANNOUNCEMENTS: ReadonlySet<string> = new Set(["found", "missing", "denied", "directory"]);

function unsuitable(lacking: string): CattlegridError {
  const message = `The sandbox's image lacks what starts programs: ${lacking || "setsid -f"}.`;
  return new CattlegridError("IMAGE_UNSUITABLE", message, {
    hint: "Use a snapshot with coreutils, grep and util-linux, as every Debian image has.",
  });
}

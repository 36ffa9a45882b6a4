import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { CattlegridError } from "../../src/errors/error.ts";
import { ECHO } from "../bare-runtime.ts";
import type { Aftermath } from "../statistics.ts";
import { DockerDaemon, refuseDocker } from "./docker-daemon.ts";
import { findPrograms, succeed, typeCommand, type Peer } from "./peer.ts";

const PROGRAMS = ["dockerd", "docker", "containerd", "runc"];
const PACKAGES = ["docker.io", "containerd", "runc"];
const IMAGE = "bench";
const SLEEP = ["/usr/bin/sleep", "infinity"];
const DONOR = "donor";
/** The cheapest that Docker has: a bridge costs it some 70 ms more. */
const NETWORK = "none";

/** Docker on an image that holds this machine's `echo` and nothing more, by its command and by its API. */
export async function openDocker(directory: string): Promise<Peer> {
  refuseDocker();
  const found = await findPrograms(PROGRAMS, PACKAGES, directory);
  const daemon = await DockerDaemon.open(found, join(directory, "docker"));
  try {
    const environment = {
      ...found,
      DOCKER_HOST: `unix://${daemon.socketPath}`,
      DOCKER_CONFIG: join(directory, "client"),
    };
    const at = { environment, cwd: directory };
    await importImage([ECHO[0], SLEEP[0]].join(" "), at);
    const run = ["docker", "run", `--network=${NETWORK}`];
    await succeed([...run, "--detach", `--name=${DONOR}`, IMAGE, ...SLEEP], at);
    const api = new DockerApi(daemon.socketPath);
    return {
      subjects: {
        "docker run": () => typeCommand([...run, "--rm", IMAGE, ...ECHO], at),
        "docker exec": () => typeCommand(["docker", "exec", DONOR, ...ECHO], at),
        "docker create by API": () => api.runEcho(),
        "docker exec by API": () => api.execEcho(DONOR),
      },
      [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
    };
  } catch (error) {
    await daemon[Symbol.asyncDispose]();
    throw error;
  }
}

async function importImage(programs: string, at: Parameters<typeof succeed>[1]): Promise<void> {
  const libraries = listLibraries(await succeed(["sh", "-c", `ldd ${programs}`], at)).join(" ");
  const script = `set -o pipefail; tar -ch -C / ${programs} ${libraries} | docker import - ${IMAGE}`;
  await succeed(["bash", "-c", script], at);
}

/** The paths of the libraries, each once, in what `ldd` prints about some programs. */
export function listLibraries(text: string): readonly string[] {
  const paths = Array.from(text.matchAll(/(\/\S+) \(0x/g), ([, path = ""]) => path);
  return [...new Set(paths)];
}

/** The three calls that `docker run` makes too, over a connection that each opens. */
class DockerApi {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  async runEcho(): Promise<Aftermath> {
    const wish = { Image: IMAGE, Cmd: ECHO, HostConfig: { NetworkMode: NETWORK } };
    const { Id: id } = await this.#post("/containers/create", wish);
    const output = await this.#send("POST", `/containers/${id}/attach?stream=1&stdout=1`);
    await this.#post(`/containers/${id}/start`);
    await once(output, "data");
    return async () => {
      await finish(output);
      await finish(await this.#send("DELETE", `/containers/${id}?force=1`));
    };
  }

  async execEcho(id: string): Promise<Aftermath> {
    const { Id: exec } = await this.#post(`/containers/${id}/exec`, {
      Cmd: ECHO,
      AttachStdout: true,
    });
    const output = await this.#send("POST", `/exec/${exec}/start`, { Detach: false, Tty: false });
    await once(output, "data");
    return () => finish(output);
  }

  async #post(path: string, body?: unknown): Promise<{ Id: string }> {
    const answer = await this.#send("POST", path, body);
    let text = "";
    for await (const chunk of answer) text += String(chunk);
    return JSON.parse(text || "{}") as { Id: string };
  }

  async #send(method: string, path: string, body?: unknown): Promise<IncomingMessage> {
    const headers = { "content-type": "application/json" };
    const outgoing = request({ socketPath: this.#socketPath, method, path, headers });
    const answered = once(outgoing, "response");
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    const [answer] = (await answered) as [IncomingMessage];
    if ((answer.statusCode ?? 500) < 400) return answer;
    throw new CattlegridError("INTERNAL", `dockerd: ${method} ${path}: ${answer.statusCode}`);
  }
}

async function finish(answer: IncomingMessage): Promise<void> {
  if (answer.readableEnded) return;
  const ended = once(answer, "end");
  answer.resume();
  await ended;
}

import { CattlegridError } from "../../../../errors/error.ts";

/** What the engine said, by the status of its answer. */
export interface EngineRefusal {
  status: number;
  message: string;
}

/** Turns a connection that failed into what the reader can do about it; what it does not know stays as it is. */
export function explainConnection(error: unknown, socketPath: string): unknown {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return new CattlegridError(
        "PROVIDER_UNREACHABLE",
        `There is no Docker engine at ${socketPath}.`,
        {
          hint: "Install and start one (`sudo apt-get install docker.io`), or name its socket with DOCKER_HOST=unix:///path.",
          cause: error,
        },
      );
    case "ECONNREFUSED":
      return new CattlegridError(
        "PROVIDER_UNREACHABLE",
        `The Docker engine at ${socketPath} is not running.`,
        { hint: "Start it: `sudo systemctl start docker`.", cause: error },
      );
    case "EACCES":
    case "EPERM":
      return new CattlegridError(
        "PROVIDER_FORBIDDEN",
        `This account may not use the Docker engine at ${socketPath}.`,
        {
          hint: "Join its group (`sudo usermod -aG docker $USER`, then log in again). Who may use it is as good as root on this machine.",
          cause: error,
        },
      );
    case "ECONNRESET":
    case "EPIPE":
      return new CattlegridError(
        "PROVIDER_UNREACHABLE",
        "The Docker engine ended the connection.",
        {
          hint: "Look whether it was restarted (`systemctl status docker`), then try again.",
          cause: error,
        },
      );
    default:
      return error;
  }
}

const DISK_FULL = /no space left on device|disk quota exceeded/i;
const NO_IMAGE = /no such image|image not known/i;
const OTHER_ARCHITECTURE = /exec format error/i;
const NO_RUNTIME = /unknown or invalid runtime|runtime "?[\w.-]+"? not found|unknown runtime/i;
const NO_INIT = /container-init binary not found|docker-init/i;
const NO_PROGRAM = /exec: "([^"]+)": (?:executable file not found|stat .*no such file)/i;

/** What the engine refused, as a failure with a code. */
export function explainRefusal({ status, message }: EngineRefusal): CattlegridError {
  const text = message.trim().replace(/\.$/, "");
  if (DISK_FULL.test(text)) {
    return new CattlegridError("DISK_FULL", `The disk of the Docker engine is full: ${text}.`, {
      hint: "Free space there, for example with `docker system prune`.",
    });
  }
  if (NO_IMAGE.test(text)) return new CattlegridError("IMAGE_MISSING", `${text}.`);
  if (OTHER_ARCHITECTURE.test(text)) {
    return new CattlegridError(
      "IMAGE_UNSUITABLE",
      `The image is for another kind of processor: ${text}.`,
    );
  }
  if (NO_INIT.test(text)) {
    return new CattlegridError("RUNTIME_MISSING", `${text}.`, {
      hint: "Install what the engine starts as a container's first process: `sudo apt-get install catatonit` for Podman, `tini` for Docker.",
    });
  }
  const program = NO_PROGRAM.exec(text)?.[1];
  if (program !== undefined) {
    return new CattlegridError("IMAGE_UNSUITABLE", `The image has no ${program}.`, {
      hint: "Use an image with sh, coreutils, curl and CA certificates.",
      details: { program },
    });
  }
  if (NO_RUNTIME.test(text)) return new CattlegridError("RUNTIME_MISSING", `${text}.`);
  if (status === 404) {
    return new CattlegridError("SANDBOX_NOT_RUNNING", `The Docker engine: ${text}.`, {
      details: { status },
    });
  }
  return new CattlegridError("PROVIDER_FAILED", `The Docker engine refused: ${text}.`, {
    details: { status },
  });
}

import { CattlegridError } from "../../../../errors/error.ts";

const SOCKET_DEFAULT = "/var/run/docker.sock";

/** The engine's socket by what DOCKER_HOST says. Throws PROVIDER_UNSUPPORTED for an engine on another machine. */
export function socketPathOf(host: string | undefined): string {
  if (host === undefined || host === "") return SOCKET_DEFAULT;
  if (host.startsWith("unix://")) return host.slice("unix://".length);
  if (host.startsWith("/")) return host;
  const message = `DOCKER_HOST names an engine that this machine does not have a socket of: ${host}.`;
  throw new CattlegridError("PROVIDER_UNSUPPORTED", message, {
    hint: "Run Cattlegrid on the engine's machine, with DOCKER_HOST=unix:///path or none.",
  });
}

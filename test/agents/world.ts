import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createCertificates } from "../../simulator/cloud/certificate.ts";
import { answerModel, type ModelAnswer } from "./model/exchange.ts";
import { serveRegistry } from "./registry.ts";

const REGISTRY = "registry.npmjs.org";
const MODELS = [
  "api.anthropic.com",
  "api.openai.com",
  "generativelanguage.googleapis.com",
  "dashscope.aliyuncs.com",
];

/** One server on loopback that answers as every host an agent needs: scripted models, and the real packages. */
export interface World extends AsyncDisposable {
  readonly environment: Readonly<Record<string, string>>;
  /** Requests to models so far, as "host path". */
  readonly asked: readonly string[];
  /** What was sent to models so far. */
  readonly sent: readonly string[];
  forget(): void;
}

export async function openWorld(directory: string): Promise<World> {
  const { authority, certificate, privateKey } = createCertificates([REGISTRY, ...MODELS]);
  const authorityPath = join(directory, "authority.pem");
  writeFileSync(authorityPath, authority);
  const asked: string[] = [];
  const sent: string[] = [];
  const server = createServer({ key: privateKey, cert: certificate }, (request, answer) => {
    serve(request, answer, { asked, sent }).catch(() => answer.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const mirrors = [REGISTRY, ...MODELS].map((host) => `${host}:443=127.0.0.1:${port}`);
  return {
    asked,
    sent,
    forget: () => void sent.splice(0),
    environment: {
      CATTLEGRID_MIRRORS: mirrors.join(","),
      CATTLEGRID_MIRROR_CA: authorityPath,
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

async function serve(
  request: IncomingMessage,
  answer: ServerResponse,
  { asked, sent }: { asked: string[]; sent: string[] },
): Promise<void> {
  const { host = "", accept = "*/*" } = request.headers;
  const path = String(request.url).split("?", 1)[0] ?? "";
  if (host === REGISTRY) return serveRegistry(path, accept, answer);
  asked.push(`${host} ${path}`);
  const made = await askModel(request, path, sent);
  // An agent that would rather have a WebSocket is told at once that there is none.
  const refusal = { status: request.headers.upgrade === undefined ? 404 : 426, body: "{}" };
  const { status, body } = made ?? refusal;
  answer.writeHead(status, { "content-type": made?.type ?? "application/json" });
  answer.end(body);
}

async function askModel(
  request: IncomingMessage,
  path: string,
  sent: string[],
): Promise<ModelAnswer | undefined> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  if (request.method !== "POST") return undefined;
  const text = Buffer.concat(chunks).toString();
  sent.push(text);
  return answerModel(path, text);
}

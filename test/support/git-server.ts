import type { IncomingMessage, ServerResponse } from "node:http";
import { spawnProcess } from "../../src/platform/process.ts";

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Git's own program for the smart HTTP protocol, by CGI. One repository, `private.git`, is for who says a name. */
export function serveGit(root: string): Answer {
  return (request, response) => {
    if (request.url?.startsWith("/private.git") && request.headers.authorization === undefined) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="forge"' });
      return void response.end();
    }
    const url = new URL(request.url ?? "", "https://git.example");
    const child = spawnProcess(["git", "http-backend"], {
      environment: {
        ...(process.env as Record<string, string>),
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: "1",
        GIT_CONFIG_COUNT: "1",
        GIT_CONFIG_KEY_0: "safe.directory",
        GIT_CONFIG_VALUE_0: "*",
        REQUEST_METHOD: request.method ?? "GET",
        PATH_INFO: url.pathname,
        QUERY_STRING: url.search.slice(1),
        CONTENT_TYPE: request.headers["content-type"] ?? "",
        HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
        GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
      },
    });
    const chunks: Buffer[] = [];
    child.stdout?.on("data", (bytes: Buffer) => chunks.push(bytes));
    child.once("close", () => {
      const answer = Buffer.concat(chunks);
      const end = answer.indexOf("\r\n\r\n");
      for (const line of answer.toString("latin1", 0, end).split("\r\n")) {
        const [name = "", value = ""] = line.split(": ", 2);
        if (name === "Status") response.statusCode = Number.parseInt(value, 10);
        else response.setHeader(name, value);
      }
      response.end(answer.subarray(end + 4));
    });
    if (child.stdin !== null) request.pipe(child.stdin);
  };
}

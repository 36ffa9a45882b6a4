import {
  listTokens,
  malformed,
  readFields,
  type Body,
  type Fields,
  type HttpProblem,
} from "./http-head.ts";

export interface ResponseHead {
  status: number;
}

const STATUS_LINE = /^HTTP\/1\.[01] ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?$/;

/** Reads a response head; `method` is that of the request it answers, by which some have no body. */
export function readResponseHead(
  text: string,
  method: string,
): { head: ResponseHead; body: Body } | HttpProblem {
  const [first = "", ...lines] = text.split("\r\n");
  const status = Number(STATUS_LINE.exec(first)?.[1]);
  const fields = readFields(lines);
  if (Number.isNaN(status) || fields === undefined) return malformed("its head is not HTTP/1");
  const head = { status };
  const isEmpty = method === "HEAD" || status < 200 || status === 204 || status === 304;
  const body = isEmpty ? { length: 0 } : readFraming(fields);
  return "problem" in body ? body : { head, body };
}

function readFraming(fields: Fields): Body | HttpProblem {
  const encodings = listTokens(fields.get("transfer-encoding"));
  if (encodings.length > 0) {
    return { length: encodings.at(-1) === "chunked" ? "chunked" : "until-close" };
  }
  const lengths = new Set(listTokens(fields.get("content-length")));
  const [length] = lengths;
  if (length === undefined) return { length: "until-close" };
  if (lengths.size > 1 || !/^[0-9]{1,15}$/.test(length)) {
    return malformed("its body has an ambiguous length");
  }
  return { length: Number(length) };
}

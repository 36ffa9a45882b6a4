import { randomBytes } from "node:crypto";
import { readJson, sendJson, textOf } from "./exchange.ts";
import type { Exchange, JsonObject } from "./exchange.ts";
import { APPROVAL_HOST } from "./hosts.ts";
import type { SignIn, SignIns, SignInMethod } from "./sign-in.ts";
import type { Tokens } from "./tokens.ts";

export interface Identity {
  signIns: SignIns;
  tokens: Tokens;
  /** Seconds between polls. */
  intervalSeconds: number;
  /** Whether Enter in the waiting stand-in approves: the demo offers it, Kiro has no such thing. */
  enterApproves: boolean;
}

const BUILDER_ID_START_URL = "https://view.awsapps.com/start";
const APPROVE_HEADER = "x-simulator-approve";

/** `oidc.<region>.amazonaws.com`: the three operations a device sign-in uses, and refresh. */
export async function serveOidc(exchange: Exchange, identity: Identity): Promise<void> {
  const body = await readJson(exchange);
  switch (exchange.url.pathname) {
    case "/client/register":
      return registerClient(exchange, body);
    case "/device_authorization":
      return startOidcDevice(exchange, { body, identity });
    case "/token":
      return createToken(exchange, { body, identity });
    default:
      return sendJson(exchange, 404, { message: "unknown operation" });
  }
}

/** `prod.us-east-1.auth.desktop.kiro.dev`: the device flow of Google and GitHub accounts. */
export async function serveSocial(exchange: Exchange, identity: Identity): Promise<void> {
  const body = await readJson(exchange);
  switch (exchange.url.pathname) {
    case "/oauth/device/authorization": {
      const method = textOf(body, "loginProvider") === "Github" ? "Github" : "Google";
      return sendDevice(exchange, {
        identity,
        method,
        page: "https://app.kiro.dev/account/device",
      });
    }
    case "/oauth/token":
      return createToken(exchange, { body, identity });
    case "/refreshToken":
      return refreshToken(exchange, { body, identity });
    default:
      return sendJson(exchange, 404, { message: "unknown operation" });
  }
}

function registerClient(exchange: Exchange, body: JsonObject): void {
  if (textOf(body, "clientName") === "" || textOf(body, "clientType") !== "public") {
    return refuse(exchange, "InvalidClientMetadataException");
  }
  const issuedAt = Math.floor(Date.now() / 1000);
  return sendJson(exchange, 200, {
    clientId: `simulated-client-${randomBytes(8).toString("hex")}`,
    clientSecret: `simulated-secret-${randomBytes(24).toString("base64url")}`,
    clientIdIssuedAt: issuedAt,
    clientSecretExpiresAt: issuedAt + 90 * 24 * 60 * 60,
  });
}

interface Operation {
  body: JsonObject;
  identity: Identity;
}

function startOidcDevice(exchange: Exchange, { body, identity }: Operation): void {
  if (textOf(body, "clientId") === "" || textOf(body, "clientSecret") === "") {
    return refuse(exchange, "InvalidClientException", 401);
  }
  const startUrl = textOf(body, "startUrl");
  if (!startUrl.startsWith("https://")) {
    return refuse(exchange, "InvalidRequestException");
  }
  const method = startUrl === BUILDER_ID_START_URL ? "BuilderId" : "IdentityCenter";
  return sendDevice(exchange, { identity, method, page: `${startUrl}/#/device` });
}

interface DevicePage {
  identity: Identity;
  method: SignInMethod;
  page: string;
}

function sendDevice(exchange: Exchange, { identity, method, page }: DevicePage): void {
  const signIn = identity.signIns.open(method);
  return sendJson(exchange, 200, {
    deviceCode: signIn.deviceCode,
    userCode: signIn.userCode,
    verificationUri: page,
    verificationUriComplete: `${page}?user_code=${signIn.userCode}`,
    expiresIn: Math.ceil((signIn.expiresAtMs - Date.now()) / 1000),
    interval: identity.intervalSeconds,
    simulator: { enterApproves: identity.enterApproves, approvalHost: APPROVAL_HOST },
  });
}

function createToken(exchange: Exchange, operation: Operation): void {
  const { body, identity } = operation;
  if (textOf(body, "grantType") === "refresh_token") return refreshToken(exchange, operation);
  const signIn = identity.signIns.poll(textOf(body, "deviceCode"));
  if (signIn === undefined) return refuse(exchange, "InvalidGrantException");
  if (identity.enterApproves && exchange.request.headers[APPROVE_HEADER] === "enter") {
    identity.signIns.settle(signIn.userCode, "approved");
  }
  return answerPoll(exchange, identity, signIn);
}

function answerPoll(exchange: Exchange, identity: Identity, signIn: SignIn): void {
  switch (signIn.state) {
    case "pending":
      return refuse(exchange, "AuthorizationPendingException");
    case "slowed":
      return refuse(exchange, "SlowDownException");
    case "denied":
      return refuse(exchange, "AccessDeniedException");
    case "expired":
      return refuse(exchange, "ExpiredTokenException");
    case "approved":
      identity.signIns.forget(signIn);
      return sendTokens(exchange, identity.tokens.issue(signIn.method));
  }
}

function refreshToken(exchange: Exchange, { body, identity }: Operation): void {
  const pair = identity.tokens.refresh(textOf(body, "refreshToken"));
  if (pair === undefined) return refuse(exchange, "InvalidGrantException");
  return sendTokens(exchange, pair);
}

function sendTokens(exchange: Exchange, pair: object): void {
  return sendJson(exchange, 200, { ...pair, tokenType: "Bearer" });
}

/**
 * The error form of the AWS JSON REST protocol: a type in a header, and OAuth's name for it in the
 * body, which is the type's own name in snake case.
 */
function refuse(exchange: Exchange, type: string, status = 400): void {
  exchange.response.setHeader("x-amzn-errortype", type);
  const words = type.replace(/Exception$/, "").match(/[A-Z][a-z]+/g) ?? [];
  const error = words.join("_").toLowerCase();
  return sendJson(exchange, status, { error, error_description: `simulated: ${type}` });
}

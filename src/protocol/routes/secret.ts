import { z } from "zod";
import { declareRoutes } from "../route.ts";
import {
  secretBindSchema,
  secretListSchema,
  secretSchema,
  secretSetSchema,
  vaultRotatedSchema,
  vaultRotateSchema,
} from "../secret.ts";

const bindingQuerySchema = z
  .strictObject({ agent: z.string().optional(), variable: z.string().optional() })
  .meta({ id: "SecretBindingQuery" });

export const SECRET_ROUTES = declareRoutes({
  listSecrets: {
    method: "GET",
    path: "/v1/secrets",
    summary: "Lists the secrets of the vault, without their values, and says where its key is.",
    since: 1,
    answer: secretListSchema,
  },
  setSecret: {
    method: "PUT",
    path: "/v1/secrets/{name}",
    summary: "Keeps a value, or a reference to where it is got at use, in place of what was there.",
    since: 1,
    body: secretSetSchema,
    answer: secretSchema,
  },
  removeSecret: {
    method: "DELETE",
    path: "/v1/secrets/{name}",
    summary: "Removes a secret and what it is bound to.",
    since: 1,
    status: 204,
  },
  bindSecret: {
    method: "POST",
    path: "/v1/secrets/{name}/bindings",
    summary: "Lets an agent have a secret in a variable, in every sandbox of this user.",
    since: 1,
    body: secretBindSchema,
    answer: secretSchema,
  },
  unbindSecret: {
    method: "DELETE",
    path: "/v1/secrets/{name}/bindings",
    summary: "Takes bindings of a secret back: those of an agent, of a variable, or all.",
    since: 1,
    query: bindingQuerySchema,
    answer: secretSchema,
  },
  rotateVault: {
    method: "POST",
    path: "/v1/vault/rotate",
    summary: "Seals everything in the vault with a new key.",
    since: 1,
    body: vaultRotateSchema,
    answer: vaultRotatedSchema,
  },
});

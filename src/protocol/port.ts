import { z } from "zod";

const portSchema = z.int().min(1).max(65_535);

/** `POST /v1/sandboxes/{id}/ports`. */
export const portPublishSchema = z
  .strictObject({
    /** Of the sandbox's own loopback. */
    port: portSchema,
    /** Of this machine's loopback. Default: any that is free. */
    hostPort: portSchema.optional(),
  })
  .meta({ id: "PortPublish" });
export type PortPublish = z.infer<typeof portPublishSchema>;

/** A port of a running sandbox that this machine's loopback leads to. */
export const publishedPortSchema = z
  .object({
    hostAddress: z.string(),
    hostPort: z.int(),
    port: z.int(),
    /** Open at this moment. */
    connections: z.int(),
  })
  .meta({ id: "PublishedPort" });
export type PublishedPort = z.infer<typeof publishedPortSchema>;

export const portListSchema = z
  .object({ ports: z.array(publishedPortSchema).readonly() })
  .meta({ id: "PortList" });

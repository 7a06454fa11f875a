// The modules that scripts/build.sh puts beside the entry point: two WebAssembly modules and wasm-bindgen's JavaScript for each.

declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

declare module "entgate-fast-path" {
  export * from "entgate-core";
  /** These return undefined, or false, where the request needs the slow path: see src/fast_path.rs. */
  export function lookup(url: string, authorization: string, env: object): string | undefined;
  export function lookup_bound(target: string, livemode: boolean, env: object): string | undefined;
  export function answer_from_record(query: string, record: Uint8Array): string | undefined;
  export function note_existing_feature(livemode: boolean, feature: string): void;
  export function placement(env: object): string | undefined;
  export function verify_webhook(url: string, signature: string, body: Uint8Array, env: object): string | undefined;
  export function webhook_response(verified: string, receipt: string): string | undefined;
  export function accepts_webhook(signature: string, env: object): boolean;
  export function max_webhook_bytes(): number;
  export function body_timeout(): number;
}

declare module "entgate-worker" {
  export * from "entgate-core";
  /** What `read` returns for a limit in bytes: see readBody in body.js. */
  type Body = ArrayBuffer | string;
  export function fetch(
    request: Request,
    env: object,
    context: object,
    id: string,
    read: (limit: number) => Promise<Body>,
    bound_livemode: boolean | undefined,
    note_existing_feature: (livemode: boolean, feature: string) => void,
  ): Promise<Response>;
  export function scheduled(event: object, env: object, context: object): Promise<void>;
  export const LedgerObject: DurableObjectClass;
  export const CustomerIndexObject: DurableObjectClass;
  export const CoordinatorObject: DurableObjectClass;
  export const CatalogObject: DurableObjectClass;

  type DurableObjectClass = new (
    state: object,
    env: object,
  ) => {
    request(message: string): Promise<string>;
    fetch(request: Request): Promise<Response>;
    alarm(): Promise<unknown>;
    webSocketClose(socket: WebSocket): void;
    webSocketError(socket: WebSocket): void;
  };
}

declare module "cloudflare:workers" {
  export class DurableObject {
    constructor(state: object, env: object);
    ctx: object;
    env: object;
  }
  export class WorkerEntrypoint {
    env: object;
    ctx: { props?: { livemode?: unknown } };
  }
}

declare module "entgate-core" {
  export function initSync(options: { module: WebAssembly.Module }): void;
  /** Replaces the instance by a new one. */
  export function __wbg_reset_state(): void;
}

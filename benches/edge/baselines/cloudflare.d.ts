// The parts of the Workers runtime API that the baselines use: https://developers.cloudflare.com/workers/runtime-apis/.

type SqlValue = string | number | null;
type SqlRow = Record<string, SqlValue>;

interface SqlCursor extends Iterable<SqlRow> {
  toArray(): SqlRow[];
  one(): SqlRow;
  readonly rowsWritten: number;
}

interface DurableObjectState {
  storage: {
    sql: { exec(query: string, ...values: SqlValue[]): SqlCursor };
    transactionSync<T>(closure: () => T): T;
    setAlarm(time: number): Promise<void>;
    deleteAlarm(): Promise<void>;
  };
  waitUntil(promise: Promise<unknown>): void;
  getWebSockets(): { send(message: string): void }[];
}

interface DurableObjectNamespace<Stub> {
  idFromName(name: string): object;
  get(id: object): Stub;
}

interface KvNamespace {
  get(key: string): Promise<string | null>;
  get(key: string, type: "json"): Promise<unknown>;
  put(key: string, value: string): Promise<void>;
}

declare module "cloudflare:workers" {
  export class DurableObject<Env = unknown> {
    constructor(state: DurableObjectState, env: Env);
    protected ctx: DurableObjectState;
    protected env: Env;
  }
}

// `entgate/openfeature`: a provider for OpenFeature's web SDK. A flag is a feature, and its value is a boolean.
//
// | the gate's answer          | resolution                                          |
// |----------------------------|-----------------------------------------------------|
// | entitled or not            | `true` or `false`, reason `TARGETING_MATCH`         |
// | the same, in state `stale` | the same value, reason `STALE`                      |
// | `fallback`                 | the fallback's value, reason `DEFAULT`              |
// | `not_known`                | the application's default, `PROVIDER_NOT_READY`     |
//
// One gate answers for one customer: with a factory the provider creates a gate for each `targetingKey`. Not here:
// fetching and storing sets (`gate-impl.ts`).
//
// https://openfeature.dev/specification/sections/providers

import type { EvaluationContext, JsonValue, Provider, ResolutionDetails } from "@openfeature/web-sdk";
import {
  FlagNotFoundError,
  GeneralError,
  InvalidContextError,
  OpenFeatureEventEmitter,
  ProviderEvents,
  ProviderNotReadyError,
  StandardResolutionReasons,
  TargetingKeyMissingError,
  TypeMismatchError,
} from "@openfeature/web-sdk";
import type { Feature } from "./features.js";
import type { Gate } from "./gate.js";

export interface EntgateProviderOptions {
  /** All features: every other flag is `FLAG_NOT_FOUND`. Without this option any flag can be evaluated, and an unknown one is `false`. */
  features?: readonly Feature[];
}

/** Creates the gate of a customer, the context's `targetingKey`. */
export type Make = (customer: string, context: EvaluationContext) => Gate;

const NOT_LOADED = "the entitlements of this customer are not loaded yet";

export class EntgateProvider implements Provider {
  readonly metadata = { name: "entgate" } as const;
  readonly runsOn = "client";
  readonly events = new OpenFeatureEventEmitter();

  readonly #createGate: Make | undefined;
  readonly #features: ReadonlySet<string> | undefined;
  #gate: Gate | undefined;
  /** The customer of the gate. For a gate of the application: the first `targetingKey`. */
  #customer: string | undefined;
  #removers: (() => void)[] = [];
  /** The answers at the last event. */
  #last = { isKnown: false, keys: new Set<string>() };
  /** How many calls of the SDK are pending. The SDK emits the events for their outcome itself. */
  #pendingCalls = 0;
  #waiters: (() => void)[] = [];

  /** Accepts a gate of one customer, or a function that creates a gate for each customer. */
  constructor(gate: Gate | Make, { features }: EntgateProviderOptions = {}) {
    if (typeof gate === "function") this.#createGate = gate;
    else this.#gate = gate;
    this.#features = features && new Set(features);
  }

  initialize(context: EvaluationContext = {}): Promise<void> {
    return this.#switchTo(context);
  }

  onContextChange(_before: EvaluationContext, context: EvaluationContext): Promise<void> {
    return this.#switchTo(context);
  }

  async onClose(): Promise<void> {
    this.#disconnect();
  }

  resolveBooleanEvaluation(flagKey: string, _default: boolean, { targetingKey }: EvaluationContext): ResolutionDetails<boolean> {
    this.#requireFeature(flagKey);
    if (this.#createGate && !targetingKey) throw new TargetingKeyMissingError("`targetingKey` is missing: it has to be the customer id");
    // The SDK replaces the context before the gate of the new customer exists.
    if ((targetingKey || undefined) !== this.#customer) throw this.#otherCustomerError();
    const check = this.#gate?.check(flagKey as Feature);
    if (!check || check.reason === "not_known") throw new ProviderNotReadyError(this.#gate?.error?.message ?? NOT_LOADED);
    const { entitled, reason, version } = check;
    const { DEFAULT, STALE, TARGETING_MATCH } = StandardResolutionReasons;
    return {
      value: entitled,
      reason: reason === "fallback" ? DEFAULT : this.#gate?.state === "stale" ? STALE : TARGETING_MATCH,
      variant: entitled ? "entitled" : "not_entitled",
      flagMetadata: { reason, version },
    };
  }

  resolveStringEvaluation(flagKey: string): ResolutionDetails<string> {
    return this.#rejectType(flagKey);
  }

  resolveNumberEvaluation(flagKey: string): ResolutionDetails<number> {
    return this.#rejectType(flagKey);
  }

  resolveObjectEvaluation<T extends JsonValue>(flagKey: string): ResolutionDetails<T> {
    return this.#rejectType(flagKey);
  }

  #requireFeature(flagKey: string): void {
    if (this.#features && !this.#features.has(flagKey)) throw new FlagNotFoundError(`no feature has the key \`${flagKey}\``);
  }

  #rejectType(flagKey: string): never {
    this.#requireFeature(flagKey);
    throw new TypeMismatchError(`\`${flagKey}\` is a feature: its value is a boolean`);
  }

  #otherCustomerError(): Error {
    return this.#createGate ? new ProviderNotReadyError(NOT_LOADED) : new InvalidContextError("the gate belongs to another customer");
  }

  /** Switches to the gate of the context's customer, and resolves when that gate has an answer. */
  async #switchTo({ targetingKey, ...attributes }: EvaluationContext): Promise<void> {
    const customer = targetingKey || undefined;
    if (this.#createGate) {
      if (!this.#gate || customer !== this.#customer) {
        this.#disconnect();
        this.#customer = customer;
        if (customer) this.#gate = this.#createGate(customer, { targetingKey: customer, ...attributes });
      }
    } else {
      this.#customer ??= customer;
      if (customer !== this.#customer) throw this.#otherCustomerError();
    }
    this.#connect();
    await this.#waitUntilLoaded();
    // The SDK sets the status to ready for any outcome. Another state is reported after that.
    setTimeout(() => this.#gate?.state !== "ready" && this.#emitState());
  }

  #connect(): void {
    const gate = this.#gate;
    if (!gate || this.#removers.length) return;
    this.#last = readAnswers(gate);
    this.#removers = [
      gate.on("change", () => this.#emitChange(gate)),
      gate.on("state", () => {
        this.#wake();
        if (!this.#pendingCalls) this.#emitState();
      }),
    ];
  }

  #disconnect(): void {
    for (const remove of this.#removers.splice(0)) remove();
    if (this.#createGate) {
      this.#gate?.close();
      this.#gate = undefined;
    }
    this.#wake();
  }

  /** Waits until the current gate has loaded a set or failed. If the gate is replaced, waits for the new one. */
  async #waitUntilLoaded(): Promise<void> {
    this.#pendingCalls += 1;
    try {
      while (this.#gate?.state === "loading") await new Promise<void>((resolve) => this.#waiters.push(resolve));
    } finally {
      this.#pendingCalls -= 1;
    }
    if (this.#gate?.state === "error") throw new GeneralError(this.#gate.error?.message);
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }

  #emitState(): void {
    const { state, error } = this.#gate ?? {};
    if (state === "ready") this.events.emit(ProviderEvents.Ready);
    else if (state === "error") this.events.emit(ProviderEvents.Error, { message: error?.message ?? "" });
    else if (state) this.events.emit(ProviderEvents.Stale);
  }

  #emitChange(gate: Gate): void {
    const [before, after] = [this.#last, readAnswers(gate)];
    this.#last = after;
    if (this.#pendingCalls) return;
    const missing = (from: Set<string>, keys: Set<string>) => [...keys].filter((key) => !from.has(key));
    const flagsChanged = [...missing(after.keys, before.keys), ...missing(before.keys, after.keys)];
    // If answers became known or unknown, every flag can have changed: there is no list of all flags.
    if (before.isKnown !== after.isKnown) this.events.emit(ProviderEvents.ConfigurationChanged);
    else if (flagsChanged.length) this.events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged });
  }
}

/** No feature has this key: its answer is the answer of every feature that is not granted. */
const NO_FEATURE = "" as Feature;

const readAnswers = (gate: Gate) => ({ isKnown: gate.check(NO_FEATURE).reason !== "not_known", keys: new Set(gate.list()) });

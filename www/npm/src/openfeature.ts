// `entgate/openfeature`: a provider for OpenFeature's web SDK, over a gate. A flag is a feature, and is boolean.
//
// | the gate says              | the flag is                                       |
// |----------------------------|---------------------------------------------------|
// | entitled, or not           | `true` or `false`: `TARGETING_MATCH`              |
// | the same, in state `stale` | the same: `STALE`                                 |
// | `fallback`                 | what that says: `DEFAULT`                         |
// | it is not known            | the application's default: `PROVIDER_NOT_READY`   |
//
// https://openfeature.dev/specification/sections/providers

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
import type { EvaluationContext, JsonValue, Provider, ResolutionDetails } from "@openfeature/web-sdk";
import type { Feature } from "./features.js";
import type { Gate } from "./gate.js";

export interface EntgateProviderOptions {
  /** All features that there are: every other flag is `FLAG_NOT_FOUND`. Without them any flag may be asked for, and is `false`. */
  features?: readonly Feature[];
}

/** How to make the gate of a customer, who is the context's `targetingKey`. */
export type Make = (customer: string, context: EvaluationContext) => Gate;

export class EntgateProvider implements Provider {
  readonly metadata = { name: "entgate" } as const;
  readonly runsOn = "client";
  readonly events = new OpenFeatureEventEmitter();

  readonly #make: Make | undefined;
  readonly #features: ReadonlySet<string> | undefined;
  #gate: Gate | undefined;
  /** Whose gate it is; one that the application made is whose it first says. */
  #customer: string | undefined;
  #ends: (() => void)[] = [];
  /** Whether anything is known, and all that is granted. */
  #told = { known: false, keys: new Set<string>() };
  /** How many times the SDK waits, which then tells by itself what came of it. */
  #awaited = 0;
  #wakes: (() => void)[] = [];

  /** A gate that the application has made, for one customer; or how to make one, for each. */
  constructor(gate: Gate | Make, { features }: EntgateProviderOptions = {}) {
    if (typeof gate === "function") this.#make = gate;
    else this.#gate = gate;
    this.#features = features && new Set(features);
  }

  initialize(context: EvaluationContext = {}): Promise<void> {
    return this.#serve(context);
  }

  onContextChange(_before: EvaluationContext, context: EvaluationContext): Promise<void> {
    return this.#serve(context);
  }

  async onClose(): Promise<void> {
    this.#leave();
  }

  resolveBooleanEvaluation(flagKey: string, _default: boolean, { targetingKey }: EvaluationContext): ResolutionDetails<boolean> {
    this.#find(flagKey);
    if (this.#make && !targetingKey) throw new TargetingKeyMissingError("`targetingKey` names the customer, and is not there");
    // The context is another one at once, and its gate is there a moment later.
    if ((targetingKey || undefined) !== this.#customer) throw this.#stranger();
    const check = this.#gate?.check(flagKey as Feature);
    if (!check || check.reason === "not_known")
      throw new ProviderNotReadyError(this.#gate?.error?.message ?? "nothing is known of this customer yet");
    const { entitled, reason, version } = check;
    const { DEFAULT, STALE, TARGETING_MATCH } = StandardResolutionReasons;
    return {
      value: entitled,
      reason: reason === "fallback" ? DEFAULT : this.#gate!.state === "stale" ? STALE : TARGETING_MATCH,
      variant: entitled ? "entitled" : "not_entitled",
      flagMetadata: { reason, version },
    };
  }

  resolveStringEvaluation(flagKey: string): ResolutionDetails<string> {
    return this.#mismatch(flagKey);
  }

  resolveNumberEvaluation(flagKey: string): ResolutionDetails<number> {
    return this.#mismatch(flagKey);
  }

  resolveObjectEvaluation<T extends JsonValue>(flagKey: string): ResolutionDetails<T> {
    return this.#mismatch(flagKey);
  }

  #find(flagKey: string): void {
    if (this.#features && !this.#features.has(flagKey)) throw new FlagNotFoundError(`no feature is called \`${flagKey}\``);
  }

  #mismatch(flagKey: string): never {
    this.#find(flagKey);
    throw new TypeMismatchError(`\`${flagKey}\` is a feature, and boolean`);
  }

  #stranger(): Error {
    return this.#make
      ? new ProviderNotReadyError("nothing is known of this customer yet")
      : new InvalidContextError("the gate is another customer's");
  }

  /** Has the gate of whom the context names, and is done when that knows something. */
  async #serve({ targetingKey, ...more }: EvaluationContext): Promise<void> {
    const customer = targetingKey || undefined;
    if (this.#make) {
      if (!this.#gate || customer !== this.#customer) {
        this.#leave();
        this.#customer = customer;
        if (customer) this.#gate = this.#make(customer, { targetingKey: customer, ...more });
      }
    } else {
      this.#customer ??= customer;
      if (customer !== this.#customer) throw this.#stranger();
    }
    this.#hear();
    await this.#settled();
    // Whatever it is, the SDK takes it for ready.
    setTimeout(() => this.#gate?.state !== "ready" && this.#tell());
  }

  #hear(): void {
    const gate = this.#gate;
    if (!gate || this.#ends.length) return;
    this.#told = told(gate);
    this.#ends = [
      gate.on("change", () => this.#compare(gate)),
      gate.on("state", () => {
        this.#wake();
        if (!this.#awaited) this.#tell();
      }),
    ];
  }

  #leave(): void {
    this.#ends.splice(0).forEach((end) => end());
    if (this.#make) {
      this.#gate?.close();
      this.#gate = undefined;
    }
    this.#wake();
  }

  /** All that wait for a former gate wait for the one that is there now: the SDK counts them. */
  async #settled(): Promise<void> {
    this.#awaited += 1;
    try {
      while (this.#gate?.state === "loading") await new Promise<void>((resolve) => this.#wakes.push(resolve));
    } finally {
      this.#awaited -= 1;
    }
    if (this.#gate?.state === "error") throw new GeneralError(this.#gate.error?.message);
  }

  #wake(): void {
    this.#wakes.splice(0).forEach((wake) => wake());
  }

  #tell(): void {
    const { state, error } = this.#gate ?? {};
    if (state === "ready") this.events.emit(ProviderEvents.Ready);
    else if (state === "error") this.events.emit(ProviderEvents.Error, { message: error?.message ?? "" });
    else if (state) this.events.emit(ProviderEvents.Stale);
  }

  #compare(gate: Gate): void {
    const [before, after] = [this.#told, told(gate)];
    this.#told = after;
    if (this.#awaited) return;
    const differ = (one: Set<string>, other: Set<string>) => [...one].filter((key) => !other.has(key));
    const flagsChanged = [...differ(before.keys, after.keys), ...differ(after.keys, before.keys)];
    // What is known anew, or no longer, is all flags: nobody has a list of those.
    if (before.known !== after.known) this.events.emit(ProviderEvents.ConfigurationChanged);
    else if (flagsChanged.length) this.events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged });
  }
}

/** No feature has this name: what is said of it is said of all that are not granted. */
const NONE = "" as Feature;

const told = (gate: Gate) => ({ known: gate.check(NONE).reason !== "not_known", keys: new Set(gate.list()) });

// The page in the browser: hydrates what the server rendered, or runs one of the experiments that the test calls.

import { createGate } from "entgate";
import { GateProvider, useEntitlement, useGate } from "entgate/react";
import { createTestGate } from "entgate/testing";
import { memo, StrictMode, startTransition, useEffect, useState } from "react";
import { flushSync } from "react-dom";
import { createRoot, hydrateRoot } from "react-dom/client";
import { Gated, Page } from "./parts.jsx";

const root = () => document.querySelector("#root");

/** Hydrates the page, or renders it with `isClientOnly`. With `isBare` the gate does not get the snapshot, with `keys` it stores its set. */
function start({ token, snapshot, isBare, isClientOnly, ...options }) {
  const storage = options.keys ? globalThis.localStorage : null;
  const gate = () => {
    globalThis.gate = createGate({ storage, livemode: false, ...options, token: async () => token, ...(isBare ? {} : { snapshot }) });
    return globalThis.gate;
  };
  if (isClientOnly) createRoot(root()).render(<Page gate={gate} />);
  else hydrateRoot(root(), <Page gate={gate} snapshot={snapshot} />);
}

/** Counts its renders in `counts`, and reads only these properties of the entitlement. */
const Counter = memo(({ counts, name, feature, properties }) => {
  counts[name] = (counts[name] ?? 0) + 1;
  const entitlement = useEntitlement(feature);
  return <i id={name}>{properties.map((property) => entitlement[property]).join(" ")}</i>;
});

/** Returns the render counts and texts of components that read different properties, after each change of the gate. */
globalThis.countRenders = () => {
  const gate = createTestGate({ sms: true });
  const counts = {};
  const [answer, version, state, none] = [["entitled", "reason"], ["version"], ["entitled", "state"], []];
  flushSync(() =>
    createRoot(root()).render(
      <GateProvider gate={gate}>
        <Counter counts={counts} name="sms" feature="sms" properties={answer} />
        <Counter counts={counts} name="sso" feature="sso" properties={answer} />
        <Counter counts={counts} name="version" feature="sms" properties={version} />
        <Counter counts={counts} name="state" feature="sso" properties={state} />
        <Counter counts={counts} name="none" feature="sso" properties={none} />
      </GateProvider>,
    ),
  );
  const rendered = () =>
    Object.fromEntries(Object.keys(counts).map((name) => [name, `${counts[name]}: ${document.getElementById(name).textContent}`]));
  const steps = [rendered()];
  const step = (change) => {
    flushSync(change);
    steps.push(rendered());
  };
  step(() => gate.set({ sso: true }));
  step(() => gate.set({ export: true }));
  step(() => gate.become("stale"));
  step(() => gate.become("loading"));
  return steps;
};

function GateName() {
  return <i>{useGate()?.name ?? "none"}</i>;
}

/** A provider whose gate is replaced by calling what it passes to `onSetter`. */
function Switchable({ first, onSetter }) {
  const [gate, setGate] = useState(first);
  onSetter((next) => flushSync(() => setGate(() => next)));
  return (
    <GateProvider gate={gate}>
      <GateName />
      <Gated feature="sms" />
    </GateProvider>
  );
}

/** Replaces the gate of a provider several times; returns what is visible each time, and a log of listeners and closed gates. */
globalThis.switchGates = async () => {
  const log = [];
  const createLoggingGate = (name, answers) => {
    const gate = createTestGate(answers);
    return {
      ...gate,
      on(event, listener) {
        log.push(`${name} on ${event}`);
        const off = gate.on(event, listener);
        return () => {
          log.push(`${name} off ${event}`);
          off();
        };
      },
      close: () => log.push(`${name} closed`),
      name,
    };
  };
  const [ada, bob] = [createLoggingGate("ada", { sms: true }), createLoggingGate("bob", {})];
  const seen = [];
  let setGate;
  const onSetter = (setter) => {
    setGate = setter;
  };
  const tree = createRoot(root());
  const step = (change) => {
    change();
    seen.push([root().querySelector("i").textContent, root().querySelector("p").dataset.part].join(" "));
  };
  step(() => flushSync(() => tree.render(<Switchable first={ada} onSetter={onSetter} />)));
  step(() => setGate(bob));
  step(() => setGate(() => createLoggingGate("created", { sms: true })));
  // Another function, as an inline one is in each render: the gate stays the same.
  step(() => setGate(() => createLoggingGate("never", {})));
  step(() => setGate(undefined));
  flushSync(() => tree.unmount());
  return { seen, log };
};

/** A component that takes a millisecond to render. */
function Slow() {
  const end = performance.now() + 1;
  while (performance.now() < end);
  return <b>{String(useEntitlement("sms").entitled)}</b>;
}

function SlowList({ onSetter }) {
  const [ids, setIds] = useState([]);
  onSetter(setIds);
  return ids.map((id) => <Slow key={id} />);
}

/** Changes the gate while React renders 200 slow components in a transition; returns all combinations of their texts. */
globalThis.changeDuringRender = async () => {
  const gate = createTestGate({ sms: true });
  let setIds;
  const onSetter = (setter) => {
    setIds = setter;
  };
  flushSync(() =>
    createRoot(root()).render(
      <StrictMode>
        <GateProvider gate={gate}>
          <SlowList onSetter={onSetter} />
        </GateProvider>
      </StrictMode>,
    ),
  );
  const seen = new Set();
  const record = () => seen.add([...new Set(Array.from(document.querySelectorAll("b"), ({ textContent }) => textContent))].join());
  new MutationObserver(record).observe(root(), { subtree: true, childList: true, characterData: true });
  startTransition(() => setIds(Array.from({ length: 200 }, (_, id) => id)));
  await new Promise((resolve) => setTimeout(resolve, 20));
  const before = document.querySelectorAll("b").length;
  gate.set({ sms: false });
  while (document.querySelectorAll("b").length < 200) await new Promise((resolve) => setTimeout(resolve, 5));
  record();
  return { before, seen: [...seen] };
};

/** Reads its entitlement only after the render: in a click, in an effect that depends on it, and by a function of the first render. */
function LateReader({ seen }) {
  const sms = useEntitlement("sms");
  seen.renders += 1;
  useEffect(() => {
    seen.effect.push(sms.entitled);
  }, [sms, seen]);
  const [readFirst] = useState(() => () => seen.timer.push(sms.entitled));
  seen.readFirst = readFirst;
  return (
    <button type="button" onClick={() => seen.click.push(sms.entitled)}>
      read
    </button>
  );
}

globalThis.readLater = async () => {
  const gate = createTestGate({ sms: true }, { state: "loading" });
  const seen = { click: [], effect: [], timer: [], renders: 0, readFirst: () => {} };
  flushSync(() =>
    createRoot(root()).render(
      <GateProvider gate={gate}>
        <LateReader seen={seen} />
      </GateProvider>,
    ),
  );
  for (const change of [() => {}, () => gate.become("ready"), () => gate.set({ sms: false }), () => gate.set({ sms: true })]) {
    flushSync(change);
    await new Promise((resolve) => setTimeout(resolve));
    root().querySelector("button").click();
    seen.readFirst();
  }
  const { readFirst, ...results } = seen;
  return results;
};

if (globalThis.testOptions?.endpoint) start(globalThis.testOptions);

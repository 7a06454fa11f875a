import { createGate } from "entgate";
import { GateProvider, useEntitlement, useGate } from "entgate/react";
import { createTestGate } from "entgate/testing";
import { memo, startTransition, StrictMode, useState } from "react";
import { flushSync } from "react-dom";
import { createRoot, hydrateRoot } from "react-dom/client";
import { Gated, Page } from "./parts.jsx";

const root = () => document.querySelector("#root");

/** Goes on from what the server rendered. */
function hydrate({ endpoint, token, snapshot, bare }) {
  const gate = () => (globalThis.gate = createGate({ endpoint, token, storage: null, ...(bare ? {} : { snapshot }) }));
  hydrateRoot(root(), <Page gate={gate} snapshot={snapshot} />);
}

/** Components that count how often they are rendered, by what they read. */
globalThis.count = () => {
  const gate = createTestGate({ sms: true });
  const counts = {};
  const Reads = memo(({ name, feature, read }) => {
    counts[name] = (counts[name] ?? 0) + 1;
    const answer = useEntitlement(feature);
    return <i id={name}>{read.map((member) => answer[member]).join(" ")}</i>;
  });
  const [one, version, state, none] = [["entitled", "reason"], ["version"], ["entitled", "state"], []];
  flushSync(() =>
    createRoot(root()).render(
      <GateProvider gate={gate}>
        <Reads name="sms" feature="sms" read={one} />
        <Reads name="sso" feature="sso" read={one} />
        <Reads name="version" feature="sms" read={version} />
        <Reads name="state" feature="sso" read={state} />
        <Reads name="none" feature="sso" read={none} />
      </GateProvider>,
    ),
  );
  const shown = () =>
    Object.fromEntries(Object.keys(counts).map((name) => [name, `${counts[name]}: ${document.getElementById(name).textContent}`]));
  const steps = [shown()];
  const step = (change) => {
    flushSync(change);
    steps.push(shown());
  };
  step(() => gate.set({ sso: true }));
  step(() => gate.set({ export: true }));
  step(() => gate.become("stale"));
  step(() => gate.become("loading"));
  return steps;
};

/** A provider whose gate is another one, and made, and none any more; what listens to each, and is closed. */
globalThis.swap = async () => {
  const log = [];
  const gate = (name, answers) => {
    const gate = createTestGate(answers);
    return {
      ...gate,
      on(event, heard) {
        log.push(`${name} on ${event}`);
        const off = gate.on(event, heard);
        return () => {
          log.push(`${name} off ${event}`);
          off();
        };
      },
      close: () => log.push(`${name} closed`),
      name,
    };
  };
  const [ada, bob] = [gate("ada", { sms: true }), gate("bob", {})];
  const seen = [];
  let set;
  const Whose = () => <i>{useGate()?.name ?? "nobody"}</i>;
  const All = () => {
    const [given, setGiven] = useState(ada);
    set = (next) => flushSync(() => setGiven(() => next));
    return (
      <GateProvider gate={given}>
        <Whose />
        <Gated feature="sms" />
      </GateProvider>
    );
  };
  const tree = createRoot(root());
  const look = (change) => {
    change();
    seen.push([root().querySelector("i").textContent, root().querySelector("p").dataset.part].join(" "));
  };
  look(() => flushSync(() => tree.render(<All />)));
  look(() => set(bob));
  look(() => set(() => gate("made", { sms: true })));
  // Written into an element it is another function each time, and the same gate.
  look(() => set(() => gate("never", {})));
  look(() => set(undefined));
  flushSync(() => tree.unmount());
  return { seen, log };
};

/** Two hundred components that take their time, while the gate changes; whether two of them ever differed. */
globalThis.tear = async () => {
  const gate = createTestGate({ sms: true });
  const Slow = () => {
    const until = performance.now() + 1;
    while (performance.now() < until);
    return <b>{String(useEntitlement("sms").entitled)}</b>;
  };
  let show;
  const All = () => {
    const [count, setCount] = useState(0);
    show = setCount;
    return Array.from({ length: count }, (_, at) => <Slow key={at} />);
  };
  flushSync(() =>
    createRoot(root()).render(
      <StrictMode>
        <GateProvider gate={gate}>
          <All />
        </GateProvider>
      </StrictMode>,
    ),
  );
  const seen = new Set();
  const look = () => seen.add([...new Set(Array.from(document.querySelectorAll("b"), ({ textContent }) => textContent))].join());
  new MutationObserver(look).observe(root(), { subtree: true, childList: true, characterData: true });
  startTransition(() => show(200));
  await new Promise((resolve) => setTimeout(resolve, 20));
  const before = document.querySelectorAll("b").length;
  gate.set({ sms: false });
  while (document.querySelectorAll("b").length < 200) await new Promise((resolve) => setTimeout(resolve, 5));
  look();
  return { before, seen: [...seen] };
};

if (globalThis.given?.token) hydrate(given);

"use client";

import { createGate } from "entgate";
import { useEffect, useState, useSyncExternalStore } from "react";

/** What the gate knows: on the server and at first what the page brought along, and then what the edge says. */
export function Live(options) {
  const [gate, setGate] = useState(() => createGate({ ...options, token: undefined }));
  useEffect(() => {
    const live = createGate(options);
    setGate(live);
    return () => live.close();
  }, []);
  const says = () => [gate.state, ...gate.list()].join(" ");
  const heard = (changed) => {
    const ends = [gate.on("change", changed), gate.on("state", changed)];
    return () => ends.forEach((end) => end());
  };
  return <output>{useSyncExternalStore(heard, says, says)}</output>;
}

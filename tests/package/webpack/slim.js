import { createGate } from "entgate/slim";

export async function openGate() {
  const file = new URL("entgate/entgate.wasm", import.meta.url);
  return createGate({ ...globalThis.testOptions, wasm: await WebAssembly.compileStreaming(fetch(file)) });
}

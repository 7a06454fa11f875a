import { createGate } from "entgate/slim";

export async function open() {
  const file = new URL("entgate/entgate.wasm", import.meta.url);
  return createGate({ ...given, wasm: await WebAssembly.compileStreaming(fetch(file)) });
}

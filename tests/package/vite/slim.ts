import url from "entgate/entgate.wasm?url";
import { createGate, type Gate } from "entgate/slim";

export async function openGate(): Promise<Gate> {
  return createGate({ ...testOptions, wasm: await WebAssembly.compileStreaming(fetch(url)) });
}

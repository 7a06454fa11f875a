import { createGate, type Gate } from "entgate/slim";
import url from "entgate/entgate.wasm?url";

export async function open(): Promise<Gate> {
  return createGate({ ...given, wasm: await WebAssembly.compileStreaming(fetch(url)) });
}

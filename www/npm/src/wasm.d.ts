// The wasm core as an import: a packed string in the bundles, a module on platforms that import wasm.

declare module "entgate.wasm" {
  const packed: string;
  export default packed;
}

declare module "*/entgate.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

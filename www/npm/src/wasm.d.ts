// The core as the build puts it in: packed into the bundles, and as a module where the platform has them.

declare module "entgate.wasm" {
  const packed: string;
  export default packed;
}

declare module "*/entgate.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

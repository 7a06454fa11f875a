import { Entitled } from "entgate/react";
import { renderToString } from "react-dom/server";
import { prerender } from "react-dom/static";
import { Page } from "./parts.jsx";

/** The page as a server sends it, which waits for all its parts, and never asks for a gate. */
export async function render(snapshot) {
  const gate = () => {
    throw new Error("a gate was made on the server");
  };
  const { prelude } = await prerender(<Page gate={gate} snapshot={snapshot} />);
  return new Response(prelude).text();
}

export const orphan = () => renderToString(<Entitled feature="sms" />);

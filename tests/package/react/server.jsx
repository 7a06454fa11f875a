import { Entitled } from "entgate/react";
import { renderToString } from "react-dom/server";
import { prerender } from "react-dom/static";
import { Page } from "./parts.jsx";

/** Renders the page with all its parts. A gate must not be created on the server. */
export async function render(snapshot) {
  const gate = () => {
    throw new Error("a gate was created on the server");
  };
  const { prelude } = await prerender(<Page gate={gate} snapshot={snapshot} />);
  return new Response(prelude).text();
}

export const renderWithoutProvider = () => renderToString(<Entitled feature="sms" />);

export default function Page() {
  return <p>exported</p>;
}

# requires: flask==3.1.3
"""Requests through the whole stack of a Flask application: routing, session, template, JSON."""

from flask import Flask, jsonify, render_template_string, request, session

PAGE = """<ul>{% for item in items if item.price < limit %}
<li class="{{ loop.cycle('odd', 'even') }}">{{ item.name|upper }}: {{ '%.2f'|format(item.price) }}</li>
{% endfor %}</ul>"""

app = Flask(__name__)
app.secret_key = "only a benchmark"


@app.get("/list/<int:count>")
def listing(count):
    items = [{"name": "item<%d>" % i, "price": i * 1.25} for i in range(count)]
    return render_template_string(PAGE, items=items, limit=int(request.args["limit"]))


@app.post("/add")
def add():
    session["seen"] = session.get("seen", 0) + 1
    numbers = request.get_json()["numbers"]
    return jsonify(total=sum(numbers), count=len(numbers))


def main():
    sizes = []
    with app.test_client() as client:
        for turn in range(20):
            page = client.get("/list/40?limit=%d" % (20 + turn))
            answer = client.post("/add", json={"numbers": list(range(turn * 10))})
            sizes.append((page.status_code, len(page.data), answer.get_json()["total"]))
    return sizes


if __name__ == "__main__":
    print(main())

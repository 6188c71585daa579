# Everything the bot itself says in Russian. The personas' own words come from the language model.
age-yes = Мне есть 18
age-no = Нет
age-first = Сначала подтверди, что тебе есть 18.
gallery-person = { $name }, { $age }. { $about }
stories-first = Сначала выбери, с кем говорить.
story-begins = Новая история: «{ $title }».
reset-done = Начинаем с чистого листа: { $name } ничего не помнит.
reset-nothing = Пока нечего забывать. Выбери, с кем говорить.
unknown-command = Такой команды я не знаю. Вот что есть: /help
stale-button = Эта кнопка уже не действует.
model-down = Не получается ответить прямо сейчас: что-то со связью. Твоё сообщение сохранено, напиши мне ещё раз чуть позже.
update-put-away = Это сообщение прочитать не удалось. Напиши, пожалуйста, другими словами.
went-wrong = Что-то пошло не так, и ответа не получилось. Попробуй, пожалуйста, ещё раз.
photo-unconfirmed = Кажется, фото потерялось по дороге. Если его нет выше, отправлю ещё раз.
photo-send-again = Отправить ещё раз
photo-sending-again = Отправляю ещё раз
photo-queue-full = Сейчас очередь на фото примерно на { $wait }, и новые в неё не помещаются. Попроси, пожалуйста, чуть позже.
photo-queue-full-unknown = Фотографии сейчас не получаются. Попроси, пожалуйста, чуть позже.
photo-delayed = Фото немного задержится: пришлю, как только получится.
photo-too-late = Фото так и не успело, прости: слишком большая очередь. Попробуем ещё раз?
# In the accusative, after "через" and "на".
wait-seconds = { $seconds } { $seconds ->
    [one] секунду
    [few] секунды
   *[other] секунд
    }
wait-minutes = { $minutes } { $minutes ->
    [one] минуту
    [few] минуты
   *[other] минут
    }
photo-already-waiting = Твоё фото уже в очереди, подожди немного.
photo-liked = Приятно, что нравится!
photo-promise-taken-back = На этот раз без фото, но я рядом.
photo-not-this-moment = Этот момент не для фото. Попробуем другой?
photo-switched-off = Фото для тебя выключены. Включить снова: /settings
# In the accusative, after "через".
wait-hours = { $hours } { $hours ->
    [one] час
    [few] часа
   *[other] часов
    }
policy-minors = Нет. Здесь все взрослые, и так останется. Давай о другом.
policy-real_person = Картинок с настоящими людьми я не делаю. Может, на фото буду я?
policy-explicit = Так далеко в фото я не захожу. Может, что-нибудь поскромнее?
policy-violence = Картинок, где кому-то плохо, я не делаю. Если плохо тебе, поговори, пожалуйста, с кем-то близким или с телефоном доверия. И со мной можно поговорить.
policy-answer = Давай сменим тему.
frequency-often = часто
frequency-normal = обычно
frequency-rarely = редко
frequency-asked = только когда попрошу
frequency-never = никогда
why-how = Ответь командой /why на фото или напиши /why и номер.
why-unknown = Такого фото нет.
# Goes to the language model as the person's words when /photo is used.
photo-wish = Пришли мне фото. { $wish }
hello =
    Привет, { $name }! Это Vitte: живой разговор с персонажем, который помнит тебя и присылает фото к месту.
    Все персонажи вымышленные и совершеннолетние. Тебе уже есть 18?
age-thanks = Спасибо! С кем хочешь поговорить? Нажми на имя, и начнём.
age-refused = Тогда нам пока не по пути. Возвращайся, когда исполнится 18: напиши /start.
gallery = С кем хочешь поговорить? Нажми на имя, и начнём.
help =
    Просто пиши, как живому человеку. Фото приходят сами, когда подходит момент, или по просьбе. Можно отправить голосовое, стикер или картинку, исправить своё сообщение или нажать 🔄, чтобы услышать другой ответ.

    /photo — попросить фото, можно с пожеланием: /photo у окна с чашкой кофе
    /persona — выбрать собеседника
    /story — сменить историю или настроение
    /create — придумать своего персонажа
    /gallery — твои фото
    /memory — что о тебе помнят
    /premium — больше фото и памяти
    /invite — позвать друга
    /settings — язык, фото, тишина
    /privacy — твои данные: посмотреть, скачать, удалить
    /reset — начать разговор заново
    /terms — условия
    /paysupport — вопросы об оплате
    /help — эта подсказка
stories = Какую историю выберем?
atmospheres = Или поменяем настроение этой?
atmosphere-same = Сейчас и так { $atmosphere }.
atmosphere-changed = Настроение теперь другое: { $atmosphere }. { $name } подхватит со следующего сообщения.
atmosphere-adventurous = приключение
atmosphere-calm = спокойно
atmosphere-cosy = уютно
atmosphere-dramatic = драма
atmosphere-dreamy = мечтательно
atmosphere-festive = празднично
atmosphere-glamorous = шик
atmosphere-melancholic = светлая грусть
atmosphere-playful = игриво
atmosphere-romantic = романтика
command-photo = попросить фото
command-persona = выбрать собеседника
command-story = сменить историю или настроение
command-create = придумать своего персонажа
command-gallery = мои фото
command-memory = что обо мне помнят
command-premium = больше фото и памяти
command-invite = позвать друга
command-settings = язык, фото, тишина
command-privacy = мои данные
command-reset = начать заново
command-terms = условия
command-paysupport = вопросы об оплате
command-help = что я умею
command-why = почему это фото
command-refund = вернуть оплату
bot-description =
    Vitte — собеседник, который помнит тебя и присылает фото к месту.

    Выбери персонажа или придумай своего, и просто пиши. Все персонажи вымышленные и совершеннолетние; только для тех, кому есть 18.
bot-short-description = Собеседник, который помнит тебя и присылает фото к месту. 18+
photo-retake = 🔄 Ещё раз
photo-another = 📷 Другой ракурс
photo-another-coming = Секунду, будет ещё кадр.
# In the accusative, after "через".
photo-wait = Фото будет примерно через { $wait }, в очереди оно { $place }-е.
photo-how-long = ⏳ Сколько ещё?
photo-cancel = Отменить
photo-cancelled = Фото отменено.
photo-being-made = Уже рисуется, осталось чуть-чуть.
photo-any-moment = Вот-вот будет.
photo-disliked = Учту, в следующий раз будет лучше.
photo-disliked-why = Учту. А что не так?
dislike-face = Не то лицо
dislike-scene = Не тот момент
dislike-quality = Плохо вышло
dislike-other = Другое
photo-delete-surely = Удалить насовсем
photo-keep = Оставить
photo-deleted = Удалено.
photo-delete-by-hand = У нас оно удалено. Из чата старые сообщения бот убрать не может: удали его, пожалуйста, вручную.
photo-limit =
    Фото на сегодня закончились: за сутки можно { $count }. Следующее примерно через { $wait }.
    Разговор продолжается, а с премиумом и фото больше.
photo-limit-none = Фото в этом плане пока нет, но поболтать можно.
album-empty = Фотографий пока нет. Попроси первую: /photo
album-end = Дальше ничего нет.
album-page = { $number } из { $count } · { $day }
original = 📎 Оригинал
original-unavailable = Оригинал сейчас не достать. Попробуй чуть позже.
memory-nobody = Пока некому помнить. Выбери собеседника: /persona
memory-empty = { $name } пока не знает о тебе ничего особенного. Расскажи о себе!
memory-facts = { $name } помнит о тебе { $count } { $count ->
    [one] факт
    [few] факта
   *[other] фактов
    } (лишнее можно убрать):
memory-summary = О чём вы говорили раньше: { $summary }
memory-forget-all = Забыть всё
memory-forgotten = Забыто.
settings = Настройки. Сами по себе сообщения не приходят с { $start } до { $end }.
settings-language = 🌐 Язык: { $language }
settings-photos = 📷 Фото: { $frequency }
settings-blur = 🌫 Скрывать фото до нажатия: { $state }
settings-silent = 🔔 Звук у фото: { $state }
settings-first = 💌 Может начать разговор: { $state }
settings-time = 🌙 У меня сейчас { $clock }
settings-story = 📖 История и настроение
settings-back = ‹ Назад
settings-how-often = Как часто присылать фото?
settings-which-language = На каком языке говорить?
settings-what-time = Сколько у тебя сейчас времени? Так бот поймёт, когда у тебя тихие часы: с { $start } до { $end }.
settings-saved = Фото: { $frequency }
language-name = Русский
language-chosen = Теперь по-русски.
switch-on = да
switch-off = нет
writes-first-stop = 🔕 Не начинать разговор
writes-first-stopped = Хорошо, разговор теперь начинаешь только ты. Включить снова: /settings
privacy =
    Что хранится: твой номер в Telegram (имя — нет), разговоры, факты из /memory, фото и их описания, настройки и платежи. Разговор видит языковая модель, описания фото — программа, которая их рисует.

    Сколько раз отвечала языковая модель, считается по часам, для ограничений планов.

    Всё это можно скачать файлом или удалить насовсем.
privacy-export = Скачать мои данные
privacy-file = Всё, что о тебе хранится. Сами фото в оригинале: /gallery
privacy-erase = Удалить всё
privacy-erase-what = Удалятся разговоры, память, фото, свои персонажи, настройки, неистраченные фото и премиум; подписка отменится. Вернуть ничего нельзя. Сообщения в этом чате останутся у тебя. Что потрачено из сегодняшних лимитов, хранится без твоего номера до завтра.
privacy-erase-surely = Да, удалить всё
privacy-keep = Нет, оставить
privacy-erased = Всё удалено. Если захочешь начать заново: /start
privacy-subscription-left = Подписку отменить не получилось. Отмени её, пожалуйста, в Telegram: Настройки → Мои звёзды.
button-premium = ⭐ Больше фото
button-not-yours = Эта кнопка не для тебя.
premium =
    Бесплатно: { $free } фото в сутки, фактов в памяти: { $free_facts }, своих персонажей: { $free_own }.
    Премиум ⭐: { $paid } фото в сутки, без очереди и чаще сами по себе, фактов в памяти: { $paid_facts }, длинные разговоры, своих персонажей: { $paid_own }.

    Фото, которое не получилось, не считается.
premium-title = Vitte Премиум
premium-description = Больше фото и без очереди, длинная память, свои персонажи. Продлевается каждый месяц, отменить можно в любой момент.
premium-buy = Премиум на месяц: { $stars } ⭐
premium-until = У тебя премиум до { $day }.
premium-given = У тебя премиум.
premium-paid = Спасибо! Премиум действует до { $day }. Фото теперь без очереди.
premium-renewed = Премиум продлён до { $day }. Спасибо, что остаёшься!
premium-ended = Премиум закончился. Болтать можно как раньше, а вернуть его — одним нажатием.
pack-buy = ➕ { $count } фото: { $stars } ⭐
pack-title = { $count } фото
pack-description = { $count } фото сверх суточных, без срока. Тратятся только на те, о которых ты просишь.
pack-paid = Спасибо! Фото сверх суточных: { $count }.
pack-left = Фото сверх суточных: { $count }.
payment-old-invoice = Этот счёт устарел. Открой /premium ещё раз.
premium-second = Премиум у тебя уже есть. Вторая подписка отменена, её { $stars } ⭐ возвращаются.
payment-not-as-offered = Оплата пришла, но она не за то, что здесь продаётся. Мы разберёмся; написать нам: /paysupport.
payment-refunded = Оплата возвращена: { $stars } ⭐.
subscription-canceled = Подписка не продлится. Премиум действует до { $day }.
subscription-active = Подписка снова действует. Спасибо!
subscription-failed = Telegram не смог продлить подписку. Премиум действует до { $day }.
paysupport = Вопрос об оплате? Напиши его после команды: /paysupport не пришли фото. Ответит человек. Если что-то пошло не так, звёзды вернутся.
paysupport-contact = Или напиши сюда: { $contact }
paysupport-payment = { $day } · { $product } · { $stars } ⭐{ $refunded ->
    [yes] {" "}(возвращено)
   *[no] {""}
    }
    { $charge }
paysupport-question =
    Вопрос об оплате от { $person }. Ответь на это сообщение, и ответ уйдёт человеку.

    { $question }
paysupport-sent = Вопрос передан. Ответит человек.
paysupport-enough = Вопросы получены. Ответит человек; со следующим подожди, пожалуйста, до завтра.
paysupport-nobody = Передать вопрос не получилось. Попробуй, пожалуйста, позже.
terms =
    Условия Vitte

    1. Только для тех, кому есть 18. Персонажи вымышленные и совершеннолетние, их слова придумывает языковая модель, фото рисует программа.
    2. Запрещено всё, что касается несовершеннолетних в интимном смысле, и изображения настоящих людей. За это доступ закрывается.
    3. Премиум стоит { $stars } ⭐ в месяц и продлевается сам; отменить можно в любой момент в Telegram: Настройки → Мои звёзды. Купленные фото не сгорают.
    4. Фото, которое не получилось, не считается. Если заплаченное не пришло, звёзды вернутся: /paysupport
    5. Что хранится и как это удалить: /privacy
invite =
    Позови друга: когда вы оба разговоритесь, каждый получит ещё { $count } фото.

    { $link }

    Пришло по твоей ссылке: { $came }. Фото сверх суточных: { $left }.
own-create = ✨ Придумать своего
own-delete = 🗑 { $name }
own-name = Придумаем персонажа. Как его зовут?
own-age = Сколько ему или ей лет? Все здесь взрослые: от 21 года.
own-character = Какой это человек? Характер, занятие, как говорит: два-три предложения.
own-looks = Как он или она выглядит? Волосы, глаза, стиль: одно-два предложения.
own-age-wrong = Нужно число от { $youngest } до { $oldest }.
own-length = Нужно от { $shortest } до { $longest } знаков.
own-refused = Так не получится: все здесь вымышленные взрослые, и всё прилично. Попробуй иначе.
own-later = Сейчас не получается, попробуй ответить ещё раз чуть позже.
own-enough = Своих персонажей может быть { $count }. Удали ненужного в /persona или загляни в /premium.
own-summary =
    { $name }, { $age }

    { $character }

    { $looks }
own-finish = 💬 Начать разговор
own-again = Начать заново
own-cancel = Отменить
own-cancelled = Хорошо, не будем.
own-deleted = Удалено, вместе с разговором.
nothing-to-cancel = Отменять нечего.
too-fast = Не успеваю за тобой! Дай мне минутку.
talk-limit = За последние сутки мы столько наговорили, что мне нужно передохнуть. Написанное сохранено: напиши мне через несколько часов.
rewrite-limit = Этот ответ переписан уже три раза. Скажи своими словами, что тебе хотелось бы услышать.
voice-too-long = Слушаю голосовые не длиннее { $seconds } секунд. Пришли, пожалуйста, покороче или напиши словами.
voice-limit = Голосовые за эти сутки закончились, больше не послушать. Напиши мне, пожалуйста, словами.
picture-limit = Картинки за эти сутки закончились: эту уже не разглядеть.
refund-how = Напиши /refund и номер платежа.
refund-unknown = Такого платежа нет.
refund-refused = Telegram отказал: { $why }
refund-done = Возвращено: { $stars } ⭐.
payment-subscribed-already = Премиум у тебя уже есть, второй раз платить не нужно.
own-name-wrong = Имя — это буквы, пробел или дефис.
paysupport-answer = Ответ на твой вопрос об оплате: { $text }
paysupport-answered = Ответ отправлен.
paysupport-gone = Этому человеку уже не написать.
refund-known = Эта оплата уже возвращена раньше: { $stars } ⭐.
